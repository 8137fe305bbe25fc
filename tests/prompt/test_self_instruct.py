"""Self-instruct. Oracle: a writer whose good, bad and copied tasks are known; lesson 07's similarity."""

import pytest

from minqwen.data import dedup, minhash
from minqwen.prompt import self_instruct
from minqwen.prompt.self_instruct import Task

SEEDS = [Task("Add two and three.", "5"), Task("Name a river in China.", "Yangtze"), Task("把月亮写成英文。", "moon")]


def is_duplicate(text, texts):
    shingles = minhash.shingle(text.lower(), 2)
    return any(dedup.jaccard(shingles, minhash.shingle(known.lower(), 2)) >= 0.6 for known in texts)


def test_a_prompt_numbers_its_examples_and_begins_one_more():
    assert self_instruct.few_shot_prompt(SEEDS[:2]) == (
        "1. Add two and three.\n5\n\n2. Name a river in China.\nYangtze\n\n3."
    )
    with pytest.raises(ValueError, match="give at least one task"):
        self_instruct.few_shot_prompt([])


def test_what_was_written_is_cut_into_tasks():
    written = " Sort 3 1 2.\n1 2 3\n\n4. Say yes.\nyes\nyes\n \n5、抄写：月\n月\n\nNo answer here"
    assert self_instruct.parse_tasks(written) == [
        ("Sort 3 1 2.", "1 2 3"),
        ("Say yes.", "yes\nyes"),
        ("抄写：月", "月"),
        ("No answer here", ""),
    ]
    assert self_instruct.parse_tasks(" \n\n ") == []


def test_only_the_number_of_a_task_is_taken_off():
    assert self_instruct.parse_tasks(" Which come first?\n1. the king\n2. the sea") == [
        ("Which come first?", "1. the king\n2. the sea")
    ]
    assert self_instruct.parse_tasks(" 3.5 + 2 = ?\n5.5") == [("3.5 + 2 = ?", "5.5")]


@pytest.mark.parametrize(
    ("instruction", "answer", "reason"),
    [
        ("Add two and three.", "5", None),
        ("把月亮写成英文。", "moon", None),
        ("Add two and three.", "", "no answer"),
        ("Say it again.", "say it again.", "echo"),
        ("Add two.", "2", "too short"),
        ("三加", "3", "too short"),
        ("word " * 151, "5", "too long"),
        ("word " * 150, "5", None),
        ("Draw me a horse.", "a horse", "unseen"),
        ("Look at the pictures and choose.", "1", "unseen"),
        ("请看图片再回答。", "山", "unseen"),
        ("Name a photograph or a paragraph.", "one", None),
        ("Withdraw the army at once.", "yes", None),
        ("Was a sword drawn here?", "yes", None),
        ("请写出一个画家的名字。", "王维", None),
    ],
)
def test_a_rule_names_what_is_wrong_with_a_task(instruction, answer, reason):
    assert self_instruct.rejection(Task(instruction, answer)) == reason


def test_a_pool_grows_by_the_good_ones_only():
    rounds = iter(
        [
            " Name a river in France.\nSeine\n\n5. Count to five aloud.\n1 2 3 4 5\n\n6. Do.\nyes",
            " Please count to five aloud.\n1 2 3 4 5\n\n5. Draw a horse.\nhorse\n\n6. Turn these words: a b\nb a",
        ]
    )
    found = list(self_instruct.self_instruct(SEEDS, lambda prompt: next(rounds), is_duplicate, rounds=2))
    assert [(j.round, j.reason) for j in found] == [
        (0, "near copy"),
        (0, None),
        (0, "too short"),
        (1, "near copy"),
        (1, "unseen"),
        (1, None),
    ]


def test_a_copy_that_is_bad_by_itself_is_told_why():
    seeds = [Task("Draw a red horse now.", "horse")]
    [judged] = self_instruct.self_instruct(seeds, lambda prompt: " Draw a red horse now.\nhorse", is_duplicate, 1)
    assert judged.reason == "unseen"


def test_at_most_a_quarter_of_the_examples_are_the_models_own():
    prompts = []
    seeds = [Task(f"Seed number {i} is here.", "s") for i in range(9)]

    def generate(prompt):
        prompts.append(prompt)
        return f" Written in round {len(prompts)} now.\nw"

    list(self_instruct.self_instruct(seeds, generate, lambda text, texts: text in texts, rounds=16))
    assert [prompt.count("Written") for prompt in prompts] == [0] + [1] * 15
    assert {prompt[: prompt.find("Written")].count("Seed") for prompt in prompts[1:]} == {0, 1, 2, 3}
    assert all(prompt.count("\ns") + prompt.count("\nw") == self_instruct.SHOWN for prompt in prompts)


def test_the_same_seed_asks_the_same_and_seeds_stay_as_they_were():
    asked = [[], []]
    for each in asked:
        generate = lambda prompt, each=each: each.append(prompt) or " Something quite new.\nyes"  # noqa: E731
        list(self_instruct.self_instruct(tuple(SEEDS), generate, is_duplicate, rounds=3, seed=5))
    assert asked[0] == asked[1]
    with pytest.raises(ValueError, match="give at least one task"):
        next(self_instruct.self_instruct([], lambda prompt: "", is_duplicate))


@pytest.mark.parametrize("written", ["", "\n\n\n", "x" * 10_000, "1.\n\n2."])
def test_a_writer_that_writes_nonsense_adds_nothing(written):
    found = list(self_instruct.self_instruct(SEEDS, lambda prompt: written, is_duplicate, rounds=2))
    assert all(judged.reason for judged in found)

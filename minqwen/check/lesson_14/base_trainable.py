"""Exercise 14.7, too much learns. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.1: W is frozen."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(names: list[str]) -> list[str]:
    """The parameters that an optimizer shall get, of a model whose adapters are called ...lora_A and ...lora_B."""
    learning = []
    for name in names:
        if "lora" in name or name.endswith("weight"):
            learning.append(name)
    return learning


def _loops(names: list[str]) -> list[str]:
    return [name for name in names if name.split(".")[-1] in ("lora_A", "lora_B")]


def _layers(rng: torch.Generator) -> list[int]:
    return sorted(torch.randperm(90, generator=rng)[:2].tolist())


def _case(names: list[str], note: str = "") -> Case:
    return Case({"names": names}, _loops(names), note)


def _adapted(rng: torch.Generator) -> list[Case]:
    names = [f"layers.{i}.q_proj.{part}" for i in _layers(rng) for part in ("base.weight", "lora_A", "lora_B")]
    return [_case(names, "a frozen weight and its adapter in each layer")]


def _others(rng: torch.Generator) -> list[Case]:
    names = ["embed_tokens.weight", "norm.weight", "lm_head.weight"]
    for i in _layers(rng):
        names[1:1] = [f"layers.{i}.k_proj.base.bias", f"layers.{i}.k_proj.lora_B", f"layers.{i}.k_proj.lora_A"]
    return [_case(names, "embedding, norms and biases stay as they are")]


def _named_so(rng: torch.Generator) -> list[Case]:
    names = [f"explorations.{i}.up_proj.{part}" for i in _layers(rng) for part in ("base.weight", "lora_A")]
    return [_case(names, "a module's name has the word lora in it")]


def _anything(rng: torch.Generator) -> list[Case]:
    parts = ("lora_A.q_proj.base.bias", "lora_A.q_proj.lora_A", "lora_A.q_proj.lora_B", "table_A", "explora_B")
    names = [f"blocks.{i}.{part}" for i in _layers(rng) for part in parts]
    return [_case(names, "a module is called lora_A, and two other parameters end in A and B")]


_CAUSES = {
    "a": Cause("The adapters are missing from the list.", "they are in it; so is something else."),
    "b": Cause("The list is in the wrong order.", "it keeps the order of the names."),
    "c": Cause("The frozen weights are in the list, and so they learn, with gradients and Adam's states."),
}
_wrong = partial(parts.mistake, broken)
_TEST = 'if "lora" in name or name.endswith("weight"):'

EXERCISE = exercise.Bug(
    name="14_base_trainable",
    lesson="14_lora_qlora",
    number="14.7",
    title="Memory that was not saved",
    broken=broken,
    also_closed=(_loops,),
    mend=((_TEST, 'if name.endswith((".lora_A", ".lora_B")):'),),
    imports="",
    symptom="""\
names = ["q_proj.base.weight", "q_proj.lora_A", "q_proj.lora_B", "norm.weight"]
print("two of these four learn, but:", broken(names))""",
    statement=f"""\
A LoRA run needs as much memory as full fine-tuning, and with the adapter switched off the model is not the old one.

- `names` are the names of all parameters. Those of adapters end in `.lora_A` or `.lora_B`; a module further up may be
  called anything.
- The result should be the list of the names that learn, in their order: adapters, nothing else.

Write `fixed(names)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Nothing raises: the loss even falls faster. Memory and `switched_off` give it away.",
    points=2,
    minutes=5,
    difficulty=1,
    hints=(
        "Which names of the symptom's list should not be in the result?",
        "A list of strings, some of those that came in.",
        "keep a name if its last part is that of an adapter.",
        "str.endswith takes a tuple of endings.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("adapters learn, the weights beside them do not", _adapted),
        Test("embedding, norms and biases do not learn", _others),
        Test("the last part of a name decides", _named_so),
        Test("and the whole of that part", _anything),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "word": _wrong(
            "the word lora anywhere in a name counts; look at the end of it.", (_TEST, 'if "lora" in name:')
        ),
        "no_weights": _wrong(
            "biases of a module with lora in its name learn too; look at the last part of the name.",
            (_TEST, 'if "lora" in name and not name.endswith("weight"):'),
        ),
        "not_base": _wrong(
            "embedding, norms and head have no base in their names, and are frozen too.",
            (_TEST, 'if "base" not in name:'),
        ),
        "anywhere": _wrong(
            "the ending counts anywhere in the name; a module may be called lora_A as well.",
            (_TEST, 'if ".lora_A" in name or ".lora_B" in name:'),
        ),
        "no_point": _wrong(
            "explora_B ends in lora_B too: the point before it belongs to the ending.",
            (_TEST, 'if name.endswith(("lora_A", "lora_B")):'),
        ),
        "b_only": _wrong("A is left out, and stays noise.", (_TEST, 'if name.endswith(".lora_B"):')),
        "weights_only": _wrong(
            "just the other way round: the frozen weights learn.", (_TEST, 'if name.endswith("weight"):')
        ),
    },
)

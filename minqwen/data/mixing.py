"""What a model sees how often: more of the good sources, and some instructions among the texts.

Steps 7 and 8 of section 2.1 of the Qwen report (Bai et al. 2023, arXiv:2309.16609), without weights. Instructions in
pre-training follow Raffel et al. 2020 (arXiv:1910.10683) and Aribandi et al. 2022 (arXiv:2111.10952).
"""

import random
from collections.abc import Mapping, Sequence


def up_sample(sources: Sequence[str], weights: Mapping[str, float | int], seed: int = 0) -> list[int]:
    """The indices of the documents, each as often as its source weighs; of 2.3 times 0.3 are decided by chance.

    A weight below 1 drops documents; a source without a weight counts once.
    """
    wrong = {source: weight for source, weight in weights.items() if weight < 0}
    if wrong:
        raise ValueError(f"weights {wrong} are below 0; 0 leaves a source out, 1 takes it once, 2 twice")
    rng, chosen = random.Random(seed), []
    for i, source in enumerate(sources):
        weight = weights.get(source, 1)
        chosen += [i] * (int(weight) + (rng.random() < weight - int(weight)))
    return chosen


def mix_instructions(documents: Sequence[str], instructions: Sequence[str], share: float, seed: int = 0) -> list[str]:
    """All documents and so many instructions that these are `share` of all characters, shuffled.

    Few instructions come more than once, all of them equally often before one comes once more.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share={share} leaves no room for documents; choose 0 or more and less than 1, such as 0.05")
    if share and not any(instructions):
        raise ValueError("there is no instruction to mix in; give some, or share=0")
    rng, mixed = random.Random(seed), list(documents)
    missing, waiting = share / (1 - share) * sum(map(len, documents)), []
    while missing > 0:
        waiting = waiting or rng.sample(instructions, k=len(instructions))
        mixed.append(waiting.pop())
        missing -= len(mixed[-1])
    rng.shuffle(mixed)
    return mixed

"""Measures the tokenizer beside `tokenizers` and `tiktoken` and writes benchmarks/RESULTS_TOKENIZER.md.

    python benchmarks/tokenizing.py            all tables, into RESULTS_TOKENIZER.md; about five minutes
    python benchmarks/tokenizing.py encoding   one table, printed only

One thread on both sides. Needs the packages of the extra `dev`.
"""

import lzma
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from harness import Goal, Report, Row, Table, in_fresh_process, interleave

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS_TOKENIZER.md"
TITLES = {
    "training": "Training beside `tokenizers`",
    "teaching": "Training beside tiktoken's educational trainer",
    "encoding": "Encoding beside `tiktoken`, with the real Qwen vocabulary",
    "long_words": "One letter, many times",
    "loading": "Loading the real Qwen vocabulary",
}
INTRODUCTION = """\
# The tokenizer's speed

Written by `make bench` on {date}. Ours is Python; `tokenizers` and `tiktoken` are Rust, but for its educational
trainer. Both sides have one thread and run by turns in the same minutes; a cell holds the median of the rounds (least
to most), the ratio is the median of ours / theirs within a round.

{machine}
"""


def sample(language: str, size: int | None = None, split: str = "held_out") -> str:
    """The documents of a split, cut after `size` bytes."""
    from minqwen.data import corpus

    text = "\n".join(document.text for document in corpus.load(split, language))
    return text if size is None else text.encode()[:size].decode(errors="ignore")


def code() -> str:
    """The Python source of this library."""
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "minqwen").rglob("*.py")))


def training(size: int = 1_000_000, n_merges: int = 3_824, rounds: int = 5) -> Table:
    """Seconds for learning the merges of the tiny Qwen's vocabulary, words cut and counted included."""
    import tokenizers

    from minqwen.tokenizer import bpe, pretokenize

    text = "\n".join(sample(language, size // 2, "train") for language in ("en", "zh"))
    found: dict[str, set[bytes]] = {}

    def ours() -> None:
        found["ours"] = set(bpe.train_bpe(text, 272 + n_merges, tie="lowest_id").ranks)

    def peer() -> None:
        model, byte_level = tokenizers.Tokenizer(tokenizers.models.BPE()), tokenizers.pre_tokenizers.ByteLevel
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pretokenize.PATTERN), "isolated")
        model.normalizer = tokenizers.normalizers.NFC()
        model.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, byte_level(False, use_regex=False)])
        settings = {"vocab_size": 256 + n_merges, "initial_alphabet": byte_level.alphabet(), "show_progress": False}
        model.train_from_iterator([text], tokenizers.trainers.BpeTrainer(**settings))
        found["peer"] = {in_bytes(token) for token in model.get_vocab()}

    timed = interleave({"ours": ours, "peer": peer}, rounds)
    common = len(found["ours"] & found["peer"]) / len(found["ours"])
    rows = [
        Row("training", "s", timed.seconds["ours"], timed.seconds["peer"], Goal("ratio", "≤", 8)),
        Row("tokens in common", "%", [common]),
    ]
    settings = [
        f"{len(text.encode()):,} bytes of the training split, half English, half Chinese; {n_merges:,} merges. Cutting "
        "the text into words and counting them is part of it, on both sides.",
        "Among equally common pairs both take the smallest ids; `tokenizers` numbers the 256 bytes in another order, "
        "so some equals are taken otherwise. Where the orders agree, the tests find the same merges, one by one.",
        timed.quiet(),
    ]
    return Table(rows, settings, "tokenizers")


def in_bytes(token: str) -> bytes:
    """What `tokenizers` writes with a printable character for each byte (the table of GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    byte_of = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in printable)
    byte_of |= {chr(256 + i): byte for i, byte in enumerate(others)}
    return bytes(byte_of[character] for character in token)


def teaching(size: int = 300_000, n_merges: int = 512, rounds: int = 1) -> Table:
    """Merges a second beside tiktoken's trainer for teaching, which counts all pairs anew for each merge."""
    from tiktoken import _educational

    from minqwen.tokenizer import bpe, pretokenize

    text = pretokenize.normalize(sample("en", size, "train"))
    runs = {
        "ours": lambda: bpe.train_bpe(text, 272 + n_merges),
        "peer": lambda: _educational.bpe_train(text, 256 + n_merges, pretokenize.PATTERN, visualise=None),
    }
    timed = interleave(runs, rounds)
    rows = [Row("training", "merges/s", *timed.speeds(n_merges), Goal("ratio", "≥", 50))]
    settings = [f"{len(text.encode()):,} bytes of English, {n_merges} merges.", timed.quiet()]
    return Table(rows, settings, "tiktoken")


def encoding(rounds: int = 7, size: int | None = None) -> Table:
    """Megabytes a second, and whether the ids are the same."""
    from minqwen.tokenizer import pretokenize, vocabulary

    ours = vocabulary.qwen_tokenizer()
    peer = ours.to_tiktoken()
    rows, settings = [], []
    for name, text in {"English": sample("en", size), "Chinese": sample("zh", size), "Python": code()[:size]}.items():
        ids: dict[str, list[int]] = {}

        def run_ours(text: str = text, ids: dict = ids) -> None:
            ids["ours"] = ours.encode(text)

        def run_peer(text: str = text, ids: dict = ids) -> None:
            ids["peer"] = peer.encode(pretokenize.normalize(text), disallowed_special=())

        timed, size_of = interleave({"ours": run_ours, "peer": run_peer}, rounds), len(text.encode())
        rows += [
            Row(name, "MB/s", *timed.speeds(size_of / 1e6), Goal("ratio", "≥", 0.05)),
            Row(f"equal ids, {name}", "%", [float(ids["ours"] == ids["peer"])], None, Goal("ours", "≥", 1.0)),
        ]
        settings.append(f"{name}: {size_of:,} bytes, {size_of / len(ids['ours']):.2f} bytes a token.")
    settings.append(f"English and Chinese: the held-out split; Python: this library. {timed.quiet()}")
    return Table(rows, settings, "tiktoken")


def long_words(few: int = 100_000, rounds: int = 3) -> Table:
    """Seconds for a word of equal letters and for one ten times as long."""
    from minqwen.tokenizer import vocabulary

    ours = vocabulary.qwen_tokenizer()
    peer = ours.to_tiktoken()
    seconds: dict[int, dict[str, list[float]]] = {}
    for n in (few, 10 * few):
        text = "a" * n
        runs = {"ours": lambda text=text: ours.encode(text), "peer": lambda text=text: peer.encode(text)}
        seconds[n] = interleave(runs, rounds).seconds
    rows = [Row(f"{n:,} letters", "s", seconds[n]["ours"], seconds[n]["peer"]) for n in seconds]
    growth = [[b / a for a, b in zip(seconds[few][name], seconds[10 * few][name])] for name in ("ours", "peer")]
    rows.append(Row("growth of time for ten times the letters", "x", *growth, Goal("ours", "≤", 20)))
    return Table(rows, [f'The letter "a", with the real Qwen vocabulary. {rounds} rounds after a warm-up.'], "tiktoken")


def loading(rounds: int = 7) -> Table:
    """Seconds until the first text can be encoded, the import not counted; and the import."""
    import tiktoken.load

    from minqwen import assets
    from minqwen.tokenizer import pretokenize, vocabulary

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "qwen.tiktoken"
        path.write_bytes(lzma.decompress((assets.QWEN_VOCABULARY / "qwen.tiktoken.xz").read_bytes()))
        os.environ["TIKTOKEN_CACHE_DIR"] = ""  # read the file, each time

        def peer() -> None:
            ranks = tiktoken.load.load_tiktoken_bpe(str(path))
            tiktoken.Encoding("qwen", pat_str=pretokenize.PATTERN, mergeable_ranks=ranks, special_tokens={})

        timed = interleave({"ours": vocabulary.qwen_tokenizer, "peer": peer}, rounds)
    imports = [[seconds_to_import(name) for _ in range(rounds)] for name in ("minqwen.tokenizer", "tiktoken")]
    rows = [
        Row("loading", "s", timed.seconds["ours"], timed.seconds["peer"], Goal("ratio", "≤", 1)),
        Row("import", "s", *imports, Goal("ours", "≤", 0.2)),
    ]
    settings = [
        "Ours unpacks the file that the course ships (0.78 MB) and checks that there is no gap; `tiktoken` reads it "
        "unpacked (2.6 MB).",
        timed.quiet(),
    ]
    return Table(rows, settings, "tiktoken")


def seconds_to_import(name: str) -> float:
    """In a Python that has imported nothing else."""
    script = f"import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True).stdout)


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS_TOKENIZER.md."""
    packages = ("regex", "tiktoken", "tokenizers")
    measure = partial(in_fresh_process, "tokenizing")
    Report("tokenizing.py", RESULTS, INTRODUCTION, TITLES, measure, packages).write(names, prepare)


def prepare() -> None:
    """One thread for the Rust of both peers, and this checkout, whatever is installed."""
    sys.path.insert(0, str(ROOT))
    os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")


if __name__ == "__main__":
    main(sys.argv[1:])

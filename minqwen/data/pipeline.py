"""The whole of cleaning, from a crawl to a corpus, in shards: it streams, counts, and goes on where it was stopped.

Three passes over a folder, as datatrove (https://github.com/huggingface/datatrove) makes them over many machines. The
first reads each page and leaves its text in read/; the second compares all texts, a signature each in memory; the third
judges what is left. A shard is one file, whole or absent, so that a run that is killed loses the work on one shard.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import xxhash
from tqdm import tqdm

from minqwen.data import html, stages, store

FIRST, SAME_URL = "crawled", {"stage": "exact", "reason": "same_url"}


class Funnel(NamedTuple):
    """How many pages are left after each stage, and how many each reason has ended, as in funnel.json."""

    left: dict[str, int]
    reasons: dict[str, dict[str, int]]


class Folder:
    """Where a run keeps its files, and how it finds out that they are another run's."""

    def __init__(self, path: Path, settings: stages.Settings, shard_size: int):
        if shard_size < 1:
            raise ValueError(f"shard_size={shard_size} holds no page; 200 pages make a shard of about a megabyte")
        self.path, self.settings, self.shard_size = path, settings, shard_size
        for name in ("read", "judged"):
            (path / name).mkdir(parents=True, exist_ok=True)
        made_of = stages.digest([settings.fingerprint(), str(shard_size)])
        if not self.check(path / "run.json", made_of):
            store.write_lines(path / "run.json", [{"made_of": made_of}])

    def check(self, path: Path, digest: str) -> bool:
        """Whether the file is there; ValueError if it is made of what has another digest."""
        found = store.first_line(path)
        if found is not None and found["made_of"] != digest:
            raise ValueError(
                f"{path} belongs to a run over other pages or with other settings; "
                "give that run's, or delete the folder, or choose another"
            )
        return found is not None

    def shard(self, kind: str, number: int) -> Path:
        """The file of a shard; kind is "read" or "judged"."""
        return self.path / kind / f"{number:06}.jsonl"


def run(
    pages: Iterable,
    folder: str | Path,
    settings: stages.Settings,
    shard_size: int = 200,
    progress: bool = True,
) -> Funnel:
    """Clean these pages into kept.jsonl and dropped.jsonl, where every page is in one of the two, with its reason.

    After an interruption, run it again with the same arguments: `pages` is gone through from its start, finished shards
    are compared with it and skipped, and the files come out as they would have without the interruption. (`pages` are
    html.Page; the annotation does not say so, because a checker of types would take the first out of an iterator.)
    """
    place = Folder(Path(folder), settings, shard_size)
    digests = _read(pages, place, progress)
    made_of = stages.digest(digests)
    _compare(place, len(digests), made_of)
    _judge(place, len(digests), made_of, progress)
    return _finish(place, len(digests))


def _read(pages: Iterable, place: Folder, progress: bool) -> list[str]:
    """Write what is read of each shard; return the digest of each shard's pages."""
    digests: list[str] = []
    with tqdm(pages, desc="read", unit="page", disable=not progress, leave=False) as bar:
        for batch in _batches(bar, place.shard_size):
            _check(batch, len(digests) * place.shard_size)
            made_of = stages.digest(part for page in batch for part in (page.url, page.html, page.content_type))
            path, start = place.shard("read", len(digests)), len(digests) * place.shard_size
            if not place.check(path, made_of):
                store.write_lines(path, _records(batch, start, made_of, place.settings))
            digests.append(made_of)
    left_over = place.shard("read", len(digests))
    if left_over.exists():
        place.check(left_over, "no page is left for it")
    return digests


def _check(batch: list, start: int) -> None:
    """A page that somebody decoded, or whose header is missing, ends the run before anything is written of it."""
    for i, page in enumerate(batch):
        kinds = [type(part) for part in page]
        if kinds != [str, bytes, str]:
            found = ", ".join(kind.__name__ for kind in kinds)
            raise ValueError(
                f"page {start + i} has parts of type {found}; give its URL as str, "
                'its HTML as the bytes that came, and its content type as str, "" where there is none'
            )


def _records(batch: list[html.Page], start: int, made_of: str, settings: stages.Settings) -> Iterator[store.Record]:
    yield {"made_of": made_of}
    for i, page in enumerate(batch):
        yield {"page": start + i, "url": page.url} | stages.read(page, settings)


def _compare(place: Folder, shards: int, made_of: str) -> None:
    """Write duplicates.jsonl: the pages that say what an earlier page says, or come from the same URL."""
    path = place.path / "duplicates.jsonl"
    if place.check(path, made_of):
        return
    texts = store.Texts([place.shard("read", number) for number in range(shards)])
    pages, again, urls = array("q"), array("q"), set[int]()
    for file, shard in enumerate(texts.paths):
        for position, record in store.read_places(shard):
            if "text" in record:
                url = xxhash.xxh3_64_intdigest(record["url"].encode("utf-8", "surrogatepass"))
                if url in urls and record["url"]:  # pages without a URL have none in common
                    again.append(record["page"])
                else:
                    urls.add(url)
                    pages.append(record["page"])
                    texts.add(file, position)
    del urls
    same_url = ({"page": page} | SAME_URL for page in again)
    found = stages.duplicates(texts, pages, place.settings)
    store.write_lines(path, [{"made_of": made_of}, *same_url, *found])
    texts.close()


def _judge(place: Folder, shards: int, made_of: str, progress: bool) -> None:
    """Write the last word on every page of each shard."""
    ends = {record.pop("page"): record for record in _after_head(place.path / "duplicates.jsonl")}
    for number in tqdm(range(shards), desc="judge", unit="shard", disable=not progress, leave=False):
        path = place.shard("judged", number)
        if place.check(path, made_of):
            continue
        records = [record | ends.get(record["page"], {}) for record in _after_head(place.shard("read", number))]
        judged = {r["page"]: r for r in stages.judge([r for r in records if "stage" not in r], place.settings)}
        store.write_lines(path, [{"made_of": made_of}, *(judged.get(r["page"], r) for r in records)])


def _finish(place: Folder, shards: int) -> Funnel:
    """Gather the shards into kept.jsonl, dropped.jsonl and funnel.json, and count."""
    reasons: dict[str, Counter[str]] = {stage: Counter() for stage in stages.STAGES}
    total = 0
    for record in _judged(place, shards):
        total += 1
        if "stage" in record:
            reasons[record["stage"]][record["reason"]] += 1
    left = {FIRST: total}
    for stage, counted in reasons.items():
        left[stage] = total = total - counted.total()
    store.write_lines(place.path / "kept.jsonl", (r for r in _judged(place, shards) if "stage" not in r))
    dropped = ({k: v for k, v in r.items() if k != "text"} for r in _judged(place, shards) if "stage" in r)
    store.write_lines(place.path / "dropped.jsonl", dropped)
    funnel = Funnel(left, {stage: dict(counted.most_common()) for stage, counted in reasons.items()})
    store.write_lines(place.path / "funnel.json", [funnel._asdict()])
    return funnel


def _judged(place: Folder, shards: int) -> Iterator[store.Record]:
    for number in range(shards):
        yield from _after_head(place.shard("judged", number))


def _after_head(path: Path) -> Iterator[store.Record]:
    records = store.read_lines(path)
    next(records)
    return records


def _batches(pages: Iterable, size: int) -> Iterator[list[html.Page]]:
    batch = []
    for page in pages:
        batch.append(page)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

"""Files that are whole or absent. Oracle: what a reader finds after a write that failed half-way."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minqwen.data import store


@given(records=st.lists(st.dictionaries(st.text(max_size=3), st.text() | st.integers() | st.booleans(), max_size=3)))
def test_records_come_back(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "a.jsonl"
    store.write_lines(path, records)
    assert list(store.read_lines(path)) == records
    assert store.first_line(path) == (records[0] if records else None)


def test_every_kind_of_character_is_written(tmp_path):
    record = {"text": "\ud800 \u2028 \0 月 𠀀 \\ud800"}
    store.write_lines(tmp_path / "a", [record])
    assert list(store.read_lines(tmp_path / "a")) == [record]


def half_way():
    yield {"text": "one"}
    raise KeyboardInterrupt


def test_a_write_that_is_stopped_leaves_the_old_file(tmp_path):
    store.write_lines(tmp_path / "a", [{"text": "old"}])
    with pytest.raises(KeyboardInterrupt):
        store.write_lines(tmp_path / "a", half_way())
    assert list(store.read_lines(tmp_path / "a")) == [{"text": "old"}]
    store.write_lines(tmp_path / "a", [{"text": "new"}])
    assert os.listdir(tmp_path) == ["a"], "what was left half written is overwritten"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_the_way_out_and_gets_its_room_back(tmp_path, monkeypatch, number):
    def full(*args):
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="free some space and run again with this folder; what is done is kept"):
        store.write_lines(tmp_path / "a", [{"text": "one"}])
    assert os.listdir(tmp_path) == []


def test_a_limit_of_the_system_is_met_as_a_full_disk_is(tmp_path):
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, before[1]))
        with pytest.raises(OSError, match="free some space"):
            store.write_lines(tmp_path / "a", ({"text": "x" * 10_000} for _ in range(2000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_another_error_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError):
        store.write_lines(tmp_path / "no" / "a", [])


def test_texts_are_read_by_their_place(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        store.write_lines(path, [{"text": f"月 {path.name}{i}"} for i in range(3)])
    texts = store.Texts(paths)
    for file, path in enumerate(paths):
        for place, _ in list(store.read_places(path))[1:]:
            texts.add(file, place)
    assert len(texts) == 4 and [texts[i] for i in (3, 0, 2, 1)] == ["月 b2", "月 a1", "月 b1", "月 a2"]
    texts.close()
    assert next(iter(texts)) == "月 a1"

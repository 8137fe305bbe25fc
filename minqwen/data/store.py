"""Files that are whole or absent: lines of JSON, written beside their place and then moved there in one step.

What a process that is killed leaves behind is a file whose name ends in .part, which the next run overwrites. POSIX
promises that rename is atomic: https://pubs.opengroup.org/onlinepubs/9799919799/functions/rename.html.
"""

import errno
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def write_lines(path: Path, records: Iterable) -> None:
    """One JSON object a line. Afterwards the file holds all of them, or is as it was before."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            for record in records:
                # Half a surrogate pair becomes \\ud800, which JSON reads back.
                file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        way_out = "the disk is full: free some space and run again with this folder; what is done is kept"
        raise OSError(error.errno, way_out, str(path)) from error


def read_lines(path: Path) -> Iterator[Record]:
    """What `write_lines` was given."""
    return (record for _, record in read_places(path))


def read_places(path: Path) -> Iterator[tuple[int, Record]]:
    """Each record after the byte at which it begins."""
    place = 0
    with path.open("rb") as file:
        for line in file:
            yield place, json.loads(line)
            place += len(line)


def first_line(path: Path) -> Record | None:
    """The first record of a file; None if there is no such file."""
    return next(read_lines(path), None) if path.exists() else None


class Texts(Sequence):
    """The texts of records in files, one read at a time: in memory are 12 bytes a text, its file and its place."""

    def __init__(self, paths: Sequence[Path]):
        self.paths = paths
        self.files, self.places = array("i"), array("q")
        self.open: tuple[int, Any] = (-1, None)

    def add(self, file: int, place: int) -> None:
        """One more text: the record of paths[file] that begins at this byte."""
        self.files.append(file)
        self.places.append(place)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> str:
        file, place = self.files[i], self.places[i]
        if self.open[0] != file:
            self.close()
            self.open = (file, self.paths[file].open("rb"))
        self.open[1].seek(place)
        return json.loads(self.open[1].readline())["text"]

    def close(self) -> None:
        """Close the file that was read last."""
        if self.open[1]:
            self.open[1].close()
        self.open = (-1, None)

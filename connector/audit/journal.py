"""What an audit has read of the source so far, in a file, so that one that was ended goes on where it was.

Reading on is sound: a change moves its item to a higher marker, so it is still to come. A page is a line, written whole; a
last line that is torn is read again. The file is locked while it is used.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from connector.errors import Fatal


class PageLine(NamedTuple):
    """A page: up to which marker everything was shown, items as (name, version, deleted), and items without a name."""

    upto: int
    items: list[tuple[str, int, bool]]
    nameless: int = 0


class Journal:
    """`head` says what was read, from where and when: another one begins anew."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def begin(self, head: dict[str, Any]) -> None:
        """Forget what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._write(head)

    def head(self) -> dict[str, Any] | None:
        """What the file begins with; None where there is nothing to go on from."""
        self._file.seek(0)
        found = _read(self._file.readline())
        return found if isinstance(found, dict) else None

    def pages(self) -> Iterator[PageLine]:
        """All pages behind the head; then more can be added."""
        end = self._file.tell()
        while (row := _read(self._file.readline())) is not None:
            end = self._file.tell()
            yield PageLine(*row)
        self._file.seek(end)
        self._file.truncate()

    def add(self, page: PageLine) -> None:
        """One more page."""
        self._write(list(page))

    def forget(self) -> None:
        """The audit is over."""
        self._file.seek(0)
        self._file.truncate()

    def _write(self, row: Any) -> None:
        try:
            self._file.write(orjson.dumps(row) + b"\n")
            self._file.flush()
        except OSError as error:
            raise Fatal(f"progress cannot be kept in {self._file.name} ({error.strerror}): set XDG_STATE_HOME") from error


def _read(line: bytes) -> Any:
    """None for a line that is not whole."""
    try:
        return orjson.loads(line) if line.endswith(b"\n") else None
    except orjson.JSONDecodeError:
        return None


@contextmanager
def journal(path: Path) -> Iterator[Journal]:
    """The journal in this file. Raises Fatal where it cannot be written, or another audit uses it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Fatal(f"progress cannot be kept in {path} ({error.strerror}): set XDG_STATE_HOME to where it can") from error
    with os.fdopen(handle, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Fatal("another audit of this entity is running on this machine: wait for it, or end it") from error
        yield Journal(file)

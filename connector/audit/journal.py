"""What an audit has read of the source so far, in a file, so that one that was ended goes on where it was.

Reading on is sound: a change moves its item to a higher marker, so it is still to come. A page is a line, written whole; a
last line that is torn is read again. The file is locked while it is used. It is a convenience: where it cannot be kept, that is
said, and the audit goes on without it.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from connector.audit.walk import Place
from connector.errors import Fatal

Tell = Callable[[str], None]
ELSEWHERE = "set XDG_STATE_HOME to where it can be"


class PageLine(NamedTuple):
    """An answer: below `upto` everything was shown; items as (name, version, deleted), and items without a marker.

    `below`: of items with a lower marker than was asked for, (name, what was asked from, up to where the answer went).
    """

    upto: int
    items: Sequence[tuple[str, int, bool]]
    unmarked: int = 0
    below: Sequence[tuple[str, int, int]] = ()
    place: Place | None = None
    operations: Sequence[str] = ()


class Journal:
    """`head` says what was read, from where and when: another one begins anew."""

    def __init__(self, file: BinaryIO | None = None, tell: Tell = lambda _: None) -> None:
        """Without a file nothing is kept. `tell` hears, once, why it is kept no longer."""
        self._file = file
        self._tell = tell

    def begin(self, head: dict[str, Any]) -> None:
        """Forget what is there."""
        self.forget()
        self._write(head)

    def head(self) -> dict[str, Any] | None:
        """What the file begins with; None where there is nothing to go on from."""
        if self._file is None:
            return None
        self._file.seek(0)
        found = _read(self._file.readline())
        return found if isinstance(found, dict) else None

    def pages(self) -> Iterator[PageLine]:
        """All pages behind the head; then more can be added."""
        if self._file is None:
            return
        end = self._file.tell()
        while (page := _page(_read(self._file.readline()))) is not None:
            end = self._file.tell()
            yield page
        with self._kept():
            self._file.seek(end)
            self._file.truncate()

    def add(self, page: PageLine) -> None:
        """One more page."""
        self._write([*page[:4], page.place and list(page.place), list(page.operations)])

    def forget(self) -> None:
        """The audit is over."""
        if self._file is not None:
            with self._kept():
                self._file.seek(0)
                self._file.truncate()

    def _write(self, row: Any) -> None:
        if self._file is not None:
            line = orjson.dumps(row) + b"\n"
            with self._kept():
                if self._file.write(line) < len(line):
                    raise OSError(None, "the disk is full")

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """What is whole in the file stays right to go on from, also when nothing can be added any more."""
        try:
            yield
        except OSError as error:
            self._file = None
            self._tell(f"progress is not kept any more ({error.strerror}); {ELSEWHERE}")


def _read(line: bytes) -> Any:
    """None for a line that is not whole."""
    try:
        return orjson.loads(line) if line.endswith(b"\n") else None
    except orjson.JSONDecodeError:
        return None


def _page(row: Any) -> PageLine | None:
    """None for what is no page of this version."""
    with suppress(TypeError, ValueError):
        upto, items, unmarked, below, place, operations = row
        rows = [(str(name), int(marker), bool(deleted)) for name, marker, deleted in items]
        lower = tuple((str(name), int(asked), int(end)) for name, asked, end in below)
        return PageLine(int(upto), rows, int(unmarked), lower, place and Place(*place), tuple(map(str, operations)))
    return None


@contextmanager
def journal(path: Path | None, tell: Tell = lambda _: None) -> Iterator[Journal]:
    """The journal in this file, or one that keeps nothing where it cannot be. Raises Fatal where another audit uses it."""
    with ExitStack() as stack:
        try:
            file = None if path is None else stack.enter_context(_opened(path))
        except OSError as error:
            file = None
            tell(f"progress is not kept in {path and path.parent} ({error.strerror}); {ELSEWHERE}")
        yield Journal(file, tell)


def _opened(path: Path) -> BinaryIO:
    """Unbuffered: what cannot be written is known at once, and nothing is tried again on closing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)  # noqa: SIM115 - closed by its user
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Fatal("another audit of this entity is running on this machine: wait for it, or end it") from error
    except OSError:
        file.close()
        raise
    return file

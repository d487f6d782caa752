"""The decoder's child process: `python -m connector.mplus.responses.worker`, started by `process.py`.

Imports no more than decoding needs.

Frames come over stdin and go over stdout: kind, page number, length (little endian), payload. Every DATA frame is answered by one
FOUND frame, CLOSE by CLOSED, which begins with the seconds that the page took, and a page that fails by one FAILED frame, after
which nothing more comes of it. The child ends when
its stdin does, so it cannot outlive its parent; signals are the parent's to answer.
"""

import fcntl
import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from struct import Struct
from time import perf_counter
from typing import BinaryIO

import orjson

from connector.mplus.responses.careful import AnyDecoder, page_decoder
from connector.mplus.responses.pages import FaultError, Item, PageError, PageSpec, TooLarge, Undecodable

Results = list[Item | Undecodable]

FRAME = Struct("<cII")
RESULT = Struct("<BqIIII")
TOOK = Struct("<d")
OPEN, DATA, CLOSE, ABANDON, FOUND, CLOSED, FAILED = b"O", b"D", b"C", b"A", b"F", b"E", b"X"
UNDECODABLE, NO_MARKER, NO_IDENTITY, DELETED = 1, 2, 4, 8
PAGES_BETWEEN_COLLECTIONS = 100
PIPE_BYTES = 1 << 20
"""Bytes that a pipe shall hold, where the system can be asked."""


def frame(kind: bytes, page: int, payload: bytes = b"") -> bytes:
    """One frame of the protocol."""
    return FRAME.pack(kind, page, len(payload)) + payload


def packed(results: Results) -> bytes:
    """The payload of FOUND and CLOSED: JSON as it is, behind a header of lengths."""
    return b"".join(part for result in results for part in _parts(result))


def _parts(result: Item | Undecodable) -> tuple[bytes, ...]:
    identity = (result.identity or "").encode()
    if isinstance(result, Item):
        head = RESULT.pack(DELETED * result.deleted, result.marker, len(identity), len(result.value), 0, 0)
        return head, identity, result.value
    reason, stage = result.reason.encode(errors="backslashreplace"), result.stage.encode()
    flags = UNDECODABLE | NO_MARKER * (result.marker is None) | NO_IDENTITY * (result.identity is None)
    head = RESULT.pack(flags, result.marker or 0, len(identity), len(result.raw), len(reason), len(stage))
    return head, identity, result.raw, reason, stage


def unpacked(payload: bytes) -> Results:
    """The inverse of `packed`."""
    return list(_unpacked(payload))


def _unpacked(payload: bytes) -> Iterator[Item | Undecodable]:
    start, end = 0, len(payload)
    while start < end:
        flags, marker, *lengths = RESULT.unpack_from(payload, start)
        body = start + RESULT.size
        rest = body + lengths[0]
        reason = rest + lengths[1]
        stage = reason + lengths[2]
        start = stage + lengths[3]
        identity = payload[body:rest].decode()
        if flags & UNDECODABLE:
            known = None if flags & NO_MARKER else marker, None if flags & NO_IDENTITY else identity
            yield Undecodable(*known, payload[reason:stage].decode(), payload[rest:reason], payload[stage:start].decode())
        else:
            yield Item(marker, identity, bool(flags & DELETED), payload[rest:reason])


def dumped(spec: PageSpec) -> bytes:
    """A PageSpec as the payload of OPEN."""
    return orjson.dumps({name: getattr(spec, name) for name in PageSpec.__slots__} | {"omit": sorted(spec.omit)})


def _loaded(payload: bytes) -> PageSpec:
    fields = orjson.loads(payload)
    identity = tuple((path, default) for path, default in fields["identity"])
    return PageSpec(**{**fields, "path": tuple(fields["path"]), "identity": identity, "omit": frozenset(fields["omit"])})


class Pages:
    """The pages under way: one frame in, at most one frame out."""

    def __init__(self) -> None:
        self._open: dict[int, AnyDecoder] = {}
        self._took: dict[int, float] = {}
        self._closed = 0

    def answer(self, kind: bytes, page: int, payload: bytes) -> bytes:
        try:
            return self._answer(kind, page, payload)
        except FaultError as error:
            failure = {"code": error.code, "text": error.text}
        except PageError as error:
            failure = {"kind": type(error).__name__, "text": str(error)}
        except MemoryError:
            failure = {"kind": TooLarge.__name__, "text": "the page does not fit into the decoder's memory"}
        except Exception as error:  # a defect costs this page, not the others
            failure = {"kind": PageError.__name__, "text": f"the decoder failed: {type(error).__name__}"}
        self._forget(page)
        return frame(FAILED, page, orjson.dumps(failure))

    def _answer(self, kind: bytes, page: int, payload: bytes) -> bytes:
        if kind == OPEN:
            self._open[page] = page_decoder(_loaded(payload))
        elif kind == ABANDON:
            self._forget(page)
        elif page not in self._open:
            return b""  # it failed while these bytes were on their way
        elif kind == DATA:
            return frame(FOUND, page, self._timed(page, lambda decoder: decoder.feed(payload)))
        elif kind == CLOSE:
            rest = self._timed(page, lambda decoder: decoder.close())
            took = TOOK.pack(self._took[page])
            self._forget(page)
            return frame(CLOSED, page, took + rest)
        return b""

    def _timed(self, page: int, decode: Callable[[AnyDecoder], Results]) -> bytes:
        started = perf_counter()
        found = packed(decode(self._open[page]))
        self._took[page] = self._took.get(page, 0.0) + perf_counter() - started
        return found

    def _forget(self, page: int) -> None:
        self._took.pop(page, None)
        if self._open.pop(page, None) is not None:
            self._closed += 1
            if self._closed % PAGES_BETWEEN_COLLECTIONS == 0:
                gc.collect()


YIELDING = 10
"""Niceness: on a busy machine a large page must not keep the worker, and with it all other administrations, waiting."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer frames until there are no more."""
    pages = Pages()
    while len(head := requests.read(FRAME.size)) == FRAME.size:
        kind, page, length = FRAME.unpack(head)
        if answer := pages.answer(kind, page, requests.read(length)):
            answers.write(answer)
            answers.flush()


def main() -> None:
    """Serve stdin and stdout. Whatever else prints goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    requests, answers = os.fdopen(os.dup(0), "rb", buffering=1 << 18), os.fdopen(os.dup(1), "wb")
    with suppress(AttributeError, OSError):  # not on every system
        os.nice(YIELDING)
    with suppress(AttributeError, OSError):  # Linux only, and the system may limit it
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as likelihood:
        likelihood.write("1000")  # where memory ends, this process ends, not its parent
    os.dup2(2, 1)
    gc.disable()
    gc.collect()
    gc.freeze()
    try:
        serve(requests, answers)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone: nothing to flush, nobody to tell


if __name__ == "__main__":
    main()

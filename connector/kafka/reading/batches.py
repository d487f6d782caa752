"""Decoding a batch of records whatever its producer put there: slowly, for those that aiokafka's own decoder refuses. Pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint_py


class Decoded(NamedTuple):
    """A record, with what aiokafka asks of one."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    checksum: None = None


def readable(name: bytes) -> str:
    r"""A header's name as text: a byte that is no UTF-8 becomes `\xff`, so that other names stay other names."""
    return name.decode(errors="backslashreplace")


def records(batch: bytes | memoryview) -> Iterator[Decoded]:
    """The records of a batch of format 2, compressed or not, in order.

    One whose fields do not fit into it comes as far as it can be read. Raises CorruptRecordException where the next one cannot
    be found, and for a wrong checksum.
    """
    whole = _DefaultRecordBatchPy(batch)
    if not whole.validate_crc():
        raise CorruptRecordException("its checksum is wrong")
    whole._maybe_uncompress()
    content, at = bytes(whole._buffer), whole._pos
    for _ in range(whole._num_records):
        try:
            length, begin = decode_varint_py(content, at)
            at = begin + length
            if not begin < at <= len(content):
                raise CorruptRecordException("a record is longer than its batch")
            yield _record(whole, _Fields(content[begin:at]))
        except (IndexError, ValueError) as error:
            raise CorruptRecordException("a record has no end, or no offset") from error


class _Fields:
    """Fields of a record, in turn; its first byte says nothing. Raises IndexError, ValueError where one does not fit."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 1

    def number(self) -> int:
        found, self._at = decode_varint_py(self._content, self._at)
        return int(found)

    def text(self) -> bytes | None:
        length = self.number()
        if length < 0:
            return None
        begin, self._at = self._at, self._at + length
        if self._at > len(self._content):
            raise IndexError(begin)
        return self._content[begin : self._at]


def _record(batch: Any, fields: _Fields) -> Decoded:
    later, place = fields.number(), fields.number()
    timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + later
    key, value, headers = _content(fields)
    return Decoded(batch.base_offset + place, timestamp, batch.timestamp_type, key, value, tuple(headers))


def _content(fields: _Fields) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []
    try:
        key = fields.text()
        value = fields.text()
        for _ in range(fields.number()):
            headers.append((readable(fields.text() or b""), fields.text()))  # noqa: PERF401 -- those before a broken one stay
    except (IndexError, ValueError):
        pass  # the broker looks at the fields of batches that are not compressed only
    return key, value, headers

"""Whoever reads a record of a stranger's makes nothing of it, or what it can: each reader alone, over everything odd."""

import io
from contextlib import redirect_stdout, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import pytest
from rich.console import Console

from connector.admin.control import _told
from connector.admin.dead_letters import _letter
from connector.admin.seek import _marker
from connector.admin.status import _row
from connector.audit.topic import TopicReading
from connector.audit.versions import Versions
from connector.cli import tail
from connector.cli.letters.text import row as letter_row
from connector.cli.tables import shards_table
from connector.errors import Fatal
from connector.kafka.cluster import Cluster
from connector.kafka.reading.batches import readable
from connector.kafka.records import Place
from connector.messages import control
from connector.messages.command import Command, Invalid, read
from connector.messages.dead_letter import DeadLetter
from connector.messages.position import Applied, Deployment
from connector.sink.records import Message
from connector.source.control import problem
from connector.source.entities import ENTITIES
from connector.tracing import carried, continued
from tests.support.kafka.odd_records import VALUES, zoo

NOW = datetime(2026, 7, 1, tzinfo=UTC)
ORDER = next(entity for entity in ENTITIES if entity.name == "order")


class Read(NamedTuple):
    """A record as a consumer returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


ROWS = [
    Read("a.topic", 0, offset, 1 << 62, row.key, row.value, tuple((readable(name), value) for name, value in row.headers))
    for offset, row in enumerate(zoo([b"order"], b'{"commandId":"odd"}'))
]


def test_seek_and_audit() -> None:
    """Markers are numbers or none; what no item can be called is no item."""
    versions = Versions()
    reading = TopicReading(Cluster("nowhere"), "a.orders", ORDER, versions)
    for row in ROWS:
        reading._take(row)

    assert {-1, 1} >= {_marker(row) for row in ROWS}
    assert {b"order", b"a\0\x1b[31m\r\nb", b"k" * 300} == set(versions._places)


@pytest.mark.parametrize("show", [tail._line, tail._json_line])
def test_tail(show: Any) -> None:
    """A line each, of what a terminal can show; as JSON one that a program can read."""
    with redirect_stdout(io.StringIO()) as out:
        for row in ROWS:
            show(row)
    lines = out.getvalue().splitlines()

    assert len(ROWS) == len(lines)
    assert all(line.isprintable() for line in lines)
    if show is tail._json_line:
        assert [row.offset for row in ROWS] == [orjson.loads(line)["offset"] for line in lines]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_status(value: bytes | None) -> None:
    """A report that is none is no report, and a position that is none no position; the row can be shown."""
    for row in (_row(value, None, NOW), _row(None, value, NOW), _row(value, value, NOW)):
        with redirect_stdout(io.StringIO()):
            Console().print(shards_table({("a", "order"): row}))
        assert row["position"] in (None, 0, 2**63 - 1)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_positions_and_control(value: bytes | None) -> None:
    """A worker says what is wrong with a position, and answers a request or leaves it alone; who asked hears only answers."""
    with suppress(Fatal):
        Deployment("g", 8).decode(value)
    request = control.read(value, Applied(0, 1), 0.0)
    answer = _told(ROWS[0]._replace(topic="a.connector-control-results", key=b"order", value=value), "x", "order")
    news = _told(ROWS[0]._replace(topic="a.sync-markers", key=b"order", value=value), "x", "order")

    assert request is None or problem(request, "order", listed=False)
    assert answer is None or b'"x"' in (value or b"")
    assert news is None or isinstance(news.marker, int)


def test_letters() -> None:
    """All that is shown of a letter can be made of anything."""
    for row in ROWS:
        letter = _letter(row)
        assert orjson.dumps(letter_row(letter))
        assert -1 <= letter.origin.offset
    assert 1970 == DeadLetter(Place("a", 0), 0, -(1 << 62), None, None, {}).at.year


def test_commands() -> None:
    """A command or none, a redrive or none, a trace or none."""
    for row in ROWS:
        message = Message.of(row)
        assert isinstance(read(row.key, row.value, 0, 2), Command | Invalid)
        assert message.coordinates in ("", "2:3")
        assert len(carried(message.headers)) <= 2
        with continued("x", message.headers):
            pass

"""What is kept of what orjson has written takes its own size in memory, and not the 8 KiB of orjson's buffer."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import faust
import orjson
import pytest

from connector.kafka.records import Place
from connector.sink.ledger.ledger import Done, Ledger
from connector.views.tables import PlainTable
from tests.bench.ledger import resident
from tests.support.sink.result_sample import RESULT

ENTRIES = 20_000
BYTES_MAX = 3000
"""Of memory for an entry of half a kilobyte; 8700 where the buffers are kept."""


def ledger() -> Any:
    """Commands of one session."""
    kept = Ledger(Place("a.command-ledger", 0), {})
    for number in range(ENTRIES):
        kept.write(Done(f"c-{number}", number, "d" * 32, {**RESULT, "commandId": f"c-{number}", "extOrderId": f"web-{number}"}))
    return kept


def table() -> Any:
    """Entries of a table of views."""
    return asyncio.run(_table())


async def _table() -> Any:
    app = faust.App("memory", store="memory://", topic_disable_leader=True)
    kept = PlainTable(app, name="entries", partitions=1)
    producer: Any = SimpleNamespace(send=_sent)
    app.producer = producer
    event: Any = SimpleNamespace(message=SimpleNamespace(partition=0))
    stream: Any = SimpleNamespace(_set_current_event=lambda _: None)
    for number in range(ENTRIES):
        await kept.write(stream, event, {b"%d" % number: orjson.dumps({**RESULT, "number": number})})
    return kept


async def _sent(*_: Any) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(SimpleNamespace(topic_partition=None, offset=0))
    return future


@pytest.mark.parametrize("store", ["ledger", "table"])
def test_an_entry_takes_its_size(store: str) -> None:
    """In a process of its own, whose memory nothing else has used before."""
    command = [sys.executable, "-m", "tests.sink.test_memory", store]
    each = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert 400 < each < BYTES_MAX


if __name__ == "__main__":
    before = resident("VmRSS")
    filled = {"ledger": ledger, "table": table}[sys.argv[1]]()
    print((resident("VmRSS") - before) // ENTRIES)

"""Records that the version before the move into `messages/` had stored are read, and would be written the same.

`support/stored_records.json` was written by that version (commit 4aaee0d).
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.admin.status import _row
from connector.kafka.records import Place
from connector.messages.command import Command, Invalid
from connector.messages.control import Answer
from connector.messages.gaps import Gap, Gaps
from connector.messages.position import Anchor, Applied, Deployment, Pending, Position, Resync, State, TopicFacts
from connector.messages.result import Outcome, decoded
from connector.messages.window import Window
from connector.sink.command_end import CommandEnd
from connector.sink.ledger.ledger import Done, Intent, Ledger, decode, encode

STORED: dict[str, Any] = json.loads((Path(__file__).parent / "support" / "stored_records.json").read_text())
FULL = Position(
    412,
    State.PAUSED,
    1,
    {"1": "ab"},
    Applied(0, 17),
    Resync("r-1", 500),
    Pending("r-2", 0, 18),
    Gaps((Gap(400, 402, 130.0),)),
    Anchor(411, "order:7", "0.1.0:abcdef123456"),
    TopicFacts(4, 99),
    ("ff",),
    ("table",),
)


@pytest.mark.parametrize(("name", "position"), [("position", FULL), ("position of a shard that was never read", Position())])
def test_positions(name: str, position: Position) -> None:
    """Everything about a shard, and next to nothing."""
    ours, value = Deployment("shop", 8), orjson.dumps(STORED[name])

    assert position == ours.decode(value, 100.0)
    assert STORED[name] == orjson.loads(ours.encode(position, 100.0))


@pytest.mark.parametrize(("name", "kind"), [("intent", Intent), ("done", Done)])
def test_ledger_entries(name: str, kind: type) -> None:
    """INTENT and DONE."""
    entry = decode(orjson.dumps(STORED[name]))

    assert isinstance(entry, kind)
    assert STORED[name] == orjson.loads(encode(entry))


def test_where_the_work_on_commands_stands() -> None:
    """The last record of each transaction, and that of a redriven letter."""
    ledger = Ledger(Place("a.command-ledger", 0), {STORED["lane key"].encode(): orjson.dumps(STORED["lane"])})

    assert (8, "shop", True) == (ledger.offset, ledger.group, ledger.begun)
    assert [(9, 9), (11, 12)] == list(ledger.finished.ranges)
    written = ledger.footer(8, [(9, 9), (11, 12)], "shop")
    assert (STORED["lane key"].encode(), STORED["lane"]) == (written.key, orjson.loads(written.value or b""))
    assert [STORED["redrive key"].encode()] == [record.key for record in ledger.redrive("4:12")]


def test_results() -> None:
    """Of a command, and of a message that is none."""
    intent = decode(orjson.dumps(STORED["intent"]))
    assert isinstance(intent, Intent)
    command = Command("c-1", "payOrder", "web-1", "o-1", "web-1", {}, "d1", None)
    end = CommandEnd(
        Outcome.UNKNOWN, "OUTCOME-UNKNOWN", "nobody knows", "", "", "inv-1", "", 582, 2, reconciled=True, intent=intent
    )
    none = Invalid("validate", "amount: 0 is too small", "c-9", "payOrder", "web-9", None)

    assert STORED["result"] == end.result(command, "2026-11-30T12:00:01.000Z")
    assert STORED["refusal"] == none.result("2026-11-30T12:00:02.000Z")
    for name in ("result", "refusal"):
        found = decoded(orjson.dumps(STORED[name]))
        assert found is not None
        assert STORED[name] == found.encode()
        assert list(STORED[name]) == list(found.encode())


def test_status_windows_and_answers() -> None:
    """What `status`, the page and operators read."""
    row = _row(orjson.dumps(STORED["status"]), None, datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC))
    assert ("running", 12, "till-1:77") == (row["state"], row["head"], row["owner"])

    assert Window(3600, 1_795_255_200, "revenue.ordered", 2) == Window.of(STORED["window key"].encode())
    assert STORED["window key"].encode() == Window(3600, 1_795_255_200, "revenue.ordered", 2).key

    answer = Answer("r-1", "resync", "order", "done").encode("2026-11-30T12:00:03.000Z", "till-1:77")
    assert STORED["control answer"] == orjson.loads(answer)

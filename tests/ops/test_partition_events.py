"""What is told of partitions that fail, and of commands that are lost or held back: samples and lines."""

from structlog.testing import capture_logs

from connector.events.commands import CommandsHeldBack, CommandsLost, CommandsRemade, LedgerCounted
from connector.events.kafka import PartitionFailed, PartitionLost
from connector.ops.log_throttle import FloodLog
from tests.support.ops_events import Ops


def test_failures_and_held_back_commands_are_counted() -> None:
    """Of each topic and partition; what the worker lets go of is shown no more. What was accounted for is not lost."""
    ops = Ops().told(
        PartitionFailed("shop.order-commands", 1, "KeyError", 0.5),
        LedgerCounted("shop", 1, 3),
        LedgerCounted("shop", 2, 3),
        CommandsHeldBack("shop", 1, 7, 61.0),
        CommandsLost("shop", 1, 100, 130, 21),
    )
    labels = {"administration": "shop", "partition": "1"}
    assert 1 == ops.sample("partition_failures_total", topic="shop.order-commands")
    assert 9 == ops.sample("commands_lost_total", administration="shop")
    assert 61 == ops.sample("commands_held_back_seconds", **labels)
    assert 0 == ops.sample("commands_held_back_seconds", **labels | {"partition": "2"})
    ops.told(CommandsHeldBack("shop", 1, 7, 0.0))
    assert 0 == ops.sample("commands_held_back_seconds", **labels)
    ops.told(PartitionLost("shop.order-commands", 1, "revoked"))
    assert ops.sample("commands_held_back_seconds", **labels) is None


def test_what_fails_and_what_is_held_back_has_a_line() -> None:
    """Of a partition that fails over and over five a minute; where commands are free again that is told too."""
    log = FloodLog(lambda: 0.0)
    with capture_logs() as lines:
        for _ in range(9):
            log(PartitionFailed("shop.order-commands", 1, "KeyError (task.py:3)", 0.5))
        log(CommandsHeldBack("shop", 2, 7, 31.0))
        log(CommandsHeldBack("shop", 2, 9, 0.0))
        log(CommandsRemade("shop", 2, 500))
        log(CommandsLost("shop", 2, 1, 23, 21))
    assert ["partition fails"] * 5 == [line["event"] for line in lines[:5]]
    assert ["commands held back by an open transaction", "commands no longer held back", "command topic made anew"] == [
        line["event"] for line in lines[5:8]
    ]
    assert ("error", 1) == (lines[-1]["log_level"], lines[-1]["most"])

"""What is told of order commands: events in; samples, rows and lines out. And once through a worker."""

import io
from typing import Any

from rich.console import Console

from connector.cli.run import summary
from connector.events.commands import (
    CommandDropped,
    CommandsLost,
    CommandTaken,
    CommandWaits,
    LedgerCounted,
    MessageRefused,
)
from connector.events.kafka import PartitionLost
from connector.events.source import ShardStarted
from connector.ops.log import log_event
from connector.ops.status import WorkerStatus
from connector.ops.waiting import EVERY_S, REASONS_MAX, WaitingLog
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.http_get import get, until
from tests.support.ops_events import Ops, ended, lines
from tests.support.sink.commanding import QUICK, Commands, create, deliver
from tests.support.source.polling import configuration, working

PAY, CREATE = CommandTaken("shop", "payOrder"), CommandTaken("shop", "createOrder")


def test_commands_are_counted_by_command_and_outcome() -> None:
    """Those received, those that ended, how long it took, and whether looking decided."""
    ops = Ops().told(
        PAY,
        ended("payOrder", "c-1", seconds=2.0),
        PAY,
        ended("payOrder", "c-2", "unknown", reconciled=True, seconds=700.0),
        CREATE,
        ended("createOrder", "c-3", "rejected"),
    )

    assert (2, 1) == (ops.of("commands_received_total", "payOrder"), ops.of("commands_received_total", "createOrder"))
    assert 1 == ops.of("command_outcomes_total", "payOrder", outcome="succeeded")
    assert 1 == ops.of("command_outcomes_total", "payOrder", outcome="unknown")
    assert 1 == ops.of("command_outcomes_total", "createOrder", outcome="rejected")
    assert (1, 0) == (ops.of("commands_reconciled_total", "payOrder"), ops.of("commands_reconciled_total", "createOrder"))
    assert (2, 702.0) == (ops.of("command_seconds_count", "payOrder"), ops.of("command_seconds_sum", "payOrder"))
    assert 1 == ops.of("command_seconds_bucket", "payOrder", le="300.0")
    assert 2 == ops.of("command_seconds_bucket", "payOrder", le="900.0")


def test_commands_in_flight_and_waiting_are_gauges() -> None:
    """Up when work begins or has to wait, down when it ends or is broken off; one that waits often is one."""
    wait = CommandWaits("shop", "payOrder", "c-1", "the POS cannot be reached")
    ops = Ops().told(PAY, PAY, wait, wait)
    assert (2, 1) == (ops.of("commands_in_flight", "payOrder"), ops.of("commands_waiting", "payOrder"))

    ops.told(ended("payOrder", "c-1"))
    assert (1, 0) == (ops.of("commands_in_flight", "payOrder"), ops.of("commands_waiting", "payOrder"))

    ops.told(CommandWaits("shop", "payOrder", "c-2", "so it is"), CommandDropped("shop", "payOrder", "c-2"))
    assert (0, 0) == (ops.of("commands_in_flight", "payOrder"), ops.of("commands_waiting", "payOrder"))


def test_a_repeated_command_is_counted_apart() -> None:
    """An unknown outcome that is told once more must not raise an alarm once more."""
    ops = Ops().told(PAY, ended("payOrder", "c-1", "unknown"), PAY, ended("payOrder", "c-1", "unknown", duplicate=True))

    assert (1, 1) == (
        ops.of("command_outcomes_total", "payOrder", outcome="unknown"),
        ops.of("commands_duplicate_total", "payOrder"),
    )
    assert (2, 0) == (ops.of("commands_received_total", "payOrder"), ops.of("commands_in_flight", "payOrder"))
    assert 1 == ops.of("command_seconds_count", "payOrder")


def test_dead_letters_lost_commands_and_the_ledger_are_shown() -> None:
    """By administration; letters of commands beside those of entities. A ledger is shown while its partition is owned."""
    refused = [MessageRefused("shop", stage, 0, 7, "why") for stage in ("parse", "validate", "validate", "outcome")]
    ops = Ops().told(*refused, CommandsLost("shop", 1, 100, 130), LedgerCounted("shop", 1, 12), LedgerCounted("shop", 2, 0))

    letters = {
        stage: ops.sample("dead_letters_total", administration="shop", entity="orderCommand", stage=stage)
        for stage in ("parse", "validate", "outcome")
    }
    assert {"parse": 1, "validate": 2, "outcome": 1} == letters
    assert 30 == ops.sample("commands_lost_total", administration="shop")
    assert 12 == ops.sample("ledger_entries", administration="shop", partition="1")

    ops.told(PartitionLost("shop.work", 2, "revoked"), PartitionLost("shop.order-commands", 1, "revoked"))
    assert None is ops.sample("ledger_entries", administration="shop", partition="1")
    assert 0 == ops.sample("ledger_entries", administration="shop", partition="2")


def test_each_outcome_has_its_line() -> None:
    """An unknown one is an error, a rejected one a warning, and what was told before is told quietly."""
    with lines() as found:
        log_event(ended("payOrder", "c-1", reason="PAY-ORDER-RESULT-OK", seconds=0.12345))
        log_event(ended("payOrder", "c-2", "rejected", message="too little"))
        log_event(ended("payOrder", "c-3", "unknown", reconciled=True))
        log_event(ended("payOrder", "c-3", "unknown", duplicate=True))

    assert [
        ("info", "command succeeded"),
        ("warning", "command rejected"),
        ("error", "command unknown"),
        ("info", "command unknown"),
    ] == [(line["level"], line["event"]) for line in found]
    assert {
        "level": "info",
        "event": "command succeeded",
        "administration": "shop",
        "command": "payOrder",
        "command_id": "c-1",
        "outcome": "succeeded",
        "reason": "PAY-ORDER-RESULT-OK",
        "attempts": 1,
        "seconds": 0.123,
    } == found[0]
    assert ("too little", True, True) == (found[1]["message"], found[2]["reconciled"], found[3]["duplicate"])


def test_refused_messages_and_lost_commands_have_a_line() -> None:
    """With the place where they lay. The letter of an unknown outcome has none of its own: the command's line says it."""
    with lines() as found:
        log_event(MessageRefused("shop", "parse", 3, 17, "not JSON"))
        log_event(MessageRefused("shop", "outcome", 3, 18, "nobody knows"))
        log_event(CommandsLost("shop", 3, 100, 130))

    refused, lost = found
    assert ("warning", "dead letter", "parse", 3, 17, "not JSON") == tuple(
        refused[name] for name in ("level", "event", "stage", "partition", "offset", "reason")
    )
    assert ("error", 3, 100, 130) == tuple(lost[name] for name in ("level", "partition", "first", "following"))


def test_a_pos_that_is_down_for_an_hour_does_not_flood_the_log() -> None:
    """A line at once, then one a minute per reason, with how many commands wait; numbers in it make it no other reason."""
    now = 0.0
    log = WaitingLog(lambda: now)
    with lines() as found:
        for second in range(3600):
            now = float(second)
            for number in range(5):
                log(CommandWaits("shop", "payOrder", f"c-{number}", f"the POS failed: request {second}"))
                log(CommandWaits("shop", "payOrder", f"c-{number}", "queued"))

    assert 60 == len([line for line in found if line["reason"] == "queued"])
    assert 60 == len([line for line in found if line["reason"] != "queued"])
    assert {1, 5} == {line["commands"] for line in found}
    assert {("warning", "commands wait", "shop")} == {(line["level"], line["event"], line["administration"]) for line in found}


def test_a_pos_with_ever_new_reasons_does_not_flood_the_log_either() -> None:
    """Nor the memory; and when it is over there is room again."""
    now = 0.0
    log = WaitingLog(lambda: now)
    reasons = [f"{first}{second}" for first in "abcdefghijklmnop" for second in "abcdefghijklmnop"]
    with lines() as found:
        for reason in reasons:
            log(CommandWaits("shop", "payOrder", "c-1", reason))
        assert REASONS_MAX == len(found)
        now = 2 * EVERY_S + 1
        log(CommandWaits("shop", "payOrder", "c-1", "something else"))

    assert "something else" == found[-1]["reason"]


def test_the_live_summary_shows_entities_and_commands() -> None:
    """Commands since there were any; entities unless this worker only carries out commands."""

    def shown(board: WorkerStatus) -> str:
        console = Console(width=200, file=io.StringIO(), record=True)
        console.print(summary(board))
        return console.export_text()

    ops = Ops()
    assert "command" not in shown(ops.status)
    ops.told(PAY, ended("payOrder", "c-1", "rejected"), PAY)
    text = shown(ops.status)
    assert ["shop", "payOrder", "1", "0", "0", "1", "0"] == [word for word in text.split() if word.isalnum()][-7:]
    assert "backlog" not in text
    ops.told(ShardStarted("shop", "order", 1, "running"))
    assert "backlog" in shown(ops.status)


async def test_a_worker_tells_of_its_commands(bootstrap: str, prefix: str) -> None:
    """In /metrics and /status, by command: what was done, what was rejected, what was no command, what waits."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        config = configuration(bootstrap, prefix, pos, **QUICK)
        async with working(config, roles=("commands",)) as worker:
            commands = Commands(bootstrap, prefix, pos)
            await commands.run(create("c-1", "web-1"), deliver("c-2", "web-9"))
            await commands.send(create("c-1", "web-1"), (b"web-1", b"{"))
            await until(lambda: _rows(worker, duplicates=1))
            await until(commands.letters)
            ready = await get(worker, "/health/ready")
            status = (await get(worker, "/status")).json()
            text = (await get(worker, "/metrics")).text

            pos.faults.switch("drop_before", probability=1)
            await commands.send(deliver("c-3", "web-1"))
            waiting = await until(lambda: _rows(worker, waiting=1))
            pos.faults.clear()
            await commands.result("c-3")
            await until(lambda: _rows(worker, command="deliverOrder", inFlight=0, waiting=0, succeeded=1))

    assert 200 == ready.status_code
    assert [f"{prefix}.order-commands"] * 2 == [row["topic"] for row in status["partitions"]]
    created, delivered = status["commands"]
    assert (prefix, "createOrder", 2, 1, 1) == tuple(
        created[name] for name in ("administration", "command", "received", "succeeded", "duplicates")
    )
    assert ("deliverOrder", 1, 0) == (delivered["command"], delivered["rejected"], delivered["inFlight"])
    assert (
        f'mplus_connector_command_outcomes_total{{administration="{prefix}",command="createOrder",outcome="succeeded"}} 1.0'
        in text
    )
    assert f'mplus_connector_dead_letters_total{{administration="{prefix}",entity="orderCommand",stage="parse"}} 1.0' in text
    assert f'mplus_connector_ledger_entries{{administration="{prefix}",partition="0"}}' in text
    assert f'mplus_connector_owned_partitions{{topic="{prefix}.order-commands"}} 2.0' in text
    assert ["deliverOrder"] == [row["command"] for row in waiting]


async def _rows(worker: Any, command: str = "", **wanted: int) -> list[dict[str, Any]]:
    """The rows of /status with these numbers."""
    rows = (await get(worker, "/status")).json()["commands"]
    return [row for row in rows if command in ("", row["command"]) and wanted.items() <= row.items()]

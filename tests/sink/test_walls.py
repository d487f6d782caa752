"""What goes wrong with one command, one partition or one listener stops nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest

from connector.events.base import Event
from connector.events.kafka import PartitionFailed
from connector.kafka.reading.readers import PartitionReader
from connector.kafka.records import partition_of
from connector.ops import fan_out
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.handler import CommandHandler
from connector.sink.outbox import Limits
from connector.sink.records import Message
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import Commands, create, outcomes, pay
from tests.support.source.polling import configuration, eventually, level, working

OK = ("succeeded", "CREATE-ORDER-RESULT-OK")


@pytest.fixture
async def pos() -> AsyncIterator[Sandbox]:
    """A small shop."""
    async with Sandbox(SandboxOptions(items=3)) as sandbox:
        yield sandbox


@pytest.fixture
async def lanes(bootstrap: str, prefix: str, pos: Sandbox) -> AsyncIterator[Lanes]:
    """Its administration."""
    async with laning(bootstrap, prefix, pos) as found:
        yield found


def failures(told: list[Event]) -> list[PartitionFailed]:
    """What was told to have failed as nobody foresaw."""
    return [event for event in told if isinstance(event, PartitionFailed)]


def breaking(monkeypatch: pytest.MonkeyPatch, key: bytes, times: int) -> None:
    """A mistake of ours: serving messages of this key fails so many times."""
    left, serve = [times], CommandHandler.serve

    async def broken(handler: CommandHandler, message: Message) -> None:
        if message.key == key and left[0]:
            left[0] -= 1
            raise KeyError("a mistake of ours at https://pos/?secret=s3cret")
        await serve(handler, message)

    monkeypatch.setattr(CommandHandler, "serve", broken)


async def test_a_mistake_with_one_command_holds_up_only_its_order(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told and tried again, in the same session; the others of its partition go on, and it is carried out once."""
    breaking(monkeypatch, b"web-1", 2)
    async with lanes.worker() as (pos, calls), lanes.owning(calls) as session:
        await lanes.send(create("c-1", "web-1"), pay("c-2", "web-1", 5), create("c-3", "web-3"))
        assert "c-3" == (await lanes.results(1))[0]["commandId"]
        results = await lanes.results(3)
        await lanes.idle(3)
        assert not session.done()
    assert ["succeeded"] * 3 == [row["outcome"] for row in results]
    assert ["c-3", "c-1", "c-2"] == [row["commandId"] for row in results]
    assert ["createOrderV3", "createOrderV3", "payOrderV2"] == sorted(pos.changes)
    told = failures(lanes.told)
    assert 2 == len(told)
    for event in told:
        assert "command at offset 0: KeyError" in event.reason
        assert "s3cret" not in event.reason


async def test_a_mistake_after_the_end_of_a_command_does_not_repeat_it(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result is committed: there is nothing to do again."""
    serve = CommandHandler.serve

    async def broken(handler: CommandHandler, message: Message) -> None:
        await serve(handler, message)
        raise RuntimeError("while it was told")

    monkeypatch.setattr(CommandHandler, "serve", broken)
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"), create("c-2", "web-1"))
        await lanes.results(2)
        await lanes.idle(2)
    assert ["createOrderV3"] * 2 == pos.changes
    assert 2 == len(await lanes.published())
    assert [0, 1] == sorted(int(event.reason.split("offset ")[1][0]) for event in failures(lanes.told))


def unreadable(monkeypatch: pytest.MonkeyPatch, fails: Callable[[PartitionReader], bool]) -> None:
    """The client fails on what it reads, as often as this says."""
    real = PartitionReader.next

    async def broken(reader: PartitionReader, most: int) -> Any:
        if fails(reader):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return await real(reader, most)

    monkeypatch.setattr(PartitionReader, "next", broken)


async def test_reading_that_fails_begins_anew_where_it_stood(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in hand meanwhile is carried out, in the same session; nothing is read twice or left out."""
    readers: list[PartitionReader] = []

    def fails(reader: PartitionReader) -> bool:
        """Every client's third reading, of the first three clients."""
        readers.append(reader)
        return len(set(readers)) <= 3 and readers.count(reader) == 3

    async with lanes.worker() as (pos, calls), lanes.owning(calls) as session:
        gate = pos.hold("web-1")
        await lanes.send(create("c-1", "web-1"))
        await asyncio.wait_for(gate.reached.wait(), 10)
        unreadable(monkeypatch, fails)
        for number in range(2, 8):
            await lanes.send(create(f"c-{number}", f"web-{number}"))
        await eventually(lambda: len(failures(lanes.told)) == 3)
        gate.opened.set()
        assert [OK] * 7 == outcomes(await lanes.results(7))
        await lanes.idle(7)
        assert not session.done()
    assert ["createOrderV3"] * 7 == pos.changes
    assert {"UnicodeDecodeError"} == {event.reason.partition(":")[0] for event in failures(lanes.told)}


async def test_a_partition_that_cannot_be_read_stops_nobody(
    bootstrap: str, prefix: str, pos: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the other partition, nor the pollers, nor the process; when it can be read, it goes on."""
    stuck = partition_of(b"web-1", 2)
    broken = [True]
    unreadable(monkeypatch, lambda reader: broken[0] and reader._where.partition == stuck)
    other = next(name for name in (f"web-{number}" for number in range(2, 99)) if partition_of(name.encode(), 2) != stuck)
    commands = Commands(bootstrap, prefix, pos)
    async with working(configuration(bootstrap, prefix, pos, entities=("order",)), roles=("source", "commands")) as worker:
        await commands.send(create("c-1", "web-1"), create("c-2", other))
        assert "succeeded" == (await commands.result("c-2"))["outcome"]
        await level(worker, pos, ["order"])
        assert ["c-2"] == [row["commandId"] for row in await commands.published()]
        broken[0] = False
        assert "succeeded" == (await commands.result("c-1"))["outcome"]


async def test_work_that_cannot_begin_stops_nobody(
    bootstrap: str, prefix: str, pos: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lane that fails before it owns anything, and a poller's lane: each in turn, and the other role goes on."""
    from connector.sink.task import SinkTask
    from connector.source.task import SourceTask

    commands, broken = Commands(bootstrap, prefix, pos), {SinkTask: True, SourceTask: True}
    for kind in broken:
        monkeypatch.setattr(kind, "__call__", failing(kind, broken))
    async with working(configuration(bootstrap, prefix, pos, entities=("order",)), roles=("source", "commands")) as worker:
        broken[SourceTask] = False
        await level(worker, pos, ["order"])
        broken[SinkTask] = False
        await commands.run(create("c-1", "web-1"))
        await level(worker, pos, ["order"])


def failing(kind: Any, broken: dict[Any, bool]) -> Any:
    """The work of this kind, which fails at once while it is broken."""
    real = kind.__call__

    async def work(lane: Any, *arguments: Any) -> None:
        if broken[kind]:
            raise ZeroDivisionError
        await real(lane, *arguments)

    return work


async def test_a_record_that_its_topic_would_not_take_is_not_sent(lanes: Lanes) -> None:
    """It would be refused and its transaction lost, over and over: only its own order waits, and nothing of it counts as done."""
    limits = Limits({f"{lanes.prefix}.dead-letters": 100})  # less than the smallest letter has
    async with lanes.worker() as (_, calls), lanes.owning(calls, limits=limits) as session:
        await lanes.send((b"web-1", Random(1).randbytes(10_000)), create("c-2", "web-2"), create("c-3", "web-3"))
        assert [OK] * 2 == outcomes(await lanes.results(2))
        await eventually(lambda: lanes.member.offset == 0 and len(failures(lanes.told)) > 1)
        assert not session.done()
    assert [] == await lanes.letters()
    assert "TooLarge: a record of" in failures(lanes.told)[0].reason
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.letters_of(1)
        await lanes.idle(3)


def test_a_listener_that_fails_keeps_nothing_from_the_others() -> None:
    """Here the log, whose disk is full, told before the metrics."""
    heard: list[Event] = []

    def full(event: Event) -> None:
        raise OSError("no space left on device")

    fan_out([full, heard.append])(Event())
    assert [Event()] == heard

"""A producer's transaction that is left open holds commands back: nobody sees why, unless it is told."""

import uuid
from collections.abc import AsyncIterator

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connector.events.base import Event
from connector.events.commands import CommandsHeldBack
from connector.events.kafka import PartitionLost
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.intake.feeding import HELD_BACK_AFTER_S, HeldBack, Post
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import create
from tests.support.source.polling import eventually


@pytest.fixture
async def lanes(bootstrap: str, prefix: str) -> AsyncIterator[Lanes]:
    """An administration, and its shop."""
    async with Sandbox(SandboxOptions(items=3)) as pos, laning(bootstrap, prefix, pos) as found:
        yield found


def held(told: list[Event]) -> list[CommandsHeldBack]:
    """What was told of commands that are held back."""
    return [event for event in told if isinstance(event, CommandsHeldBack)]


async def test_an_open_transaction_before_commands_is_told(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """For how long, and where; when it has ended, what lay behind it is carried out, and that it is over is told too."""
    monkeypatch.setattr("connector.sink.intake.feeding.HELD_BACK_AFTER_S", 1.0)
    foreign = AIOKafkaProducer(bootstrap_servers=lanes.bootstrap, transactional_id=f"foreign-{uuid.uuid4().hex}")
    await foreign.start()
    try:
        async with lanes.worker() as (_, calls), lanes.owning(calls):
            await lanes.send(create("c-0", "web-0"))
            await lanes.results(1)
            await foreign.begin_transaction()
            value = orjson.dumps(create("c-1", "web-1"))
            await foreign.send_and_wait(f"{lanes.prefix}.order-commands", value, b"web-1", 0)
            await lanes.send(create("c-2", "web-2"))
            await eventually(lambda: len(held(lanes.told)) >= 2)
            assert 1 == len(await lanes.published())
            first, second, *_ = held(lanes.told)
            assert (lanes.prefix, 0, 1) == (first.administration, first.partition, first.offset)
            assert 1.0 <= first.seconds < second.seconds
            await foreign.abort_transaction()
            await lanes.result("c-2")
            await eventually(lambda: held(lanes.told)[-1].seconds == 0.0)
    finally:
        await foreign.stop()
    assert 1 == [event.seconds for event in held(lanes.told)].count(0.0)
    assert [] == [event for event in lanes.told if isinstance(event, PartitionLost)]


def test_only_an_end_that_stands_still_before_the_last_record_is_told() -> None:
    """Transactions that come and go, and what was not read yet, hold nothing back. Both ends as a fetch says them."""
    told: list[Event] = []
    now = [0.0]
    look = HeldBack(Post("shop", 3, told.append, lambda: now[0]))
    for second in range(100):  # each second another transaction is open
        now[0] = float(second)
        look.seen(10 + second, (10 + second, 12 + second))
    for second in range(100, 200):  # all is decided
        now[0] = float(second)
        look.seen(200, (200, 200))
    for second in range(200, 300):  # the reader has more to read
        now[0] = float(second)
        look.seen(200, (220, 230))
    look.seen(200, None)
    assert [] == told

    for second in range(300, 332):
        now[0] = float(second)
        look.seen(230, (230, 231))
    assert [CommandsHeldBack("shop", 3, 230, HELD_BACK_AFTER_S + more) for more in (0.0, 1.0)] == told
    look.seen(240, (240, 241))
    assert CommandsHeldBack("shop", 3, 240, 0.0) == told[-1]
    look.seen(240, (240, 241))
    assert 3 == len(told)

"""A ledger that is larger than memory: what was read back, what is looked up in Kafka, and what this session writes."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from connector.errors import TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading import lookups
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import FencedProducer, fenced_producer
from connector.local_kafka.start import Broker
from connector.sink.ledger import index as ledger_index
from connector.sink.ledger import ledger as ledgers
from connector.sink.ledger.ledger import Done, Entry, Intent, Ledger
from connector.sink.ledger.reading import read_back
from tests.support.kafka.topics import admin, create_topic, read_all
from tests.support.sink.result_sample import RESULT

QUEUED = 4
"""Of what `said` lists."""


def intent(number: int, attempt: int = 1) -> Intent:
    """Of command c-{number}."""
    return Intent(
        f"c-{number}", "payOrder", "k", number, "d", "payOrderV2", "o", "e", "i", {"attempt": attempt}, attempt, "i", "t"
    )


def done(number: int, **result: Any) -> Done:
    """createOrder of web-{number}, or what `result` says."""
    named = {**RESULT, "commandId": f"c-{number}", "extOrderId": f"web-{number}", "orderId": f"o-{number}"}
    return Done(f"c-{number}", number, "d", named | result)


def history(chance: random.Random, commands: int) -> list[tuple[Entry, str]]:
    """What a lane may write, in its order, with the coordinates of a redriven letter; what has succeeded is final."""
    steps: list[tuple[Entry, str]] = []
    final: set[int] = set()
    for number in chance.choices(range(commands), k=3 * commands):
        if number in final:
            continue
        kind, coordinates = chance.randrange(6), f"0:{number}" if chance.random() < 0.2 else ""
        unknown = done(number, outcome="unknown", packingSlipId=None)
        kinds: list[Entry] = [
            intent(number, len(steps)),
            done(number),
            done(number, syncMarker=None),
            done(number, command="deliverOrder", packingSlipId=f"s-{number}"),
            Done(unknown.command_id, number, "d", unknown.result, intent(number)),
            done(number, outcome="rejected", message='a "quoted" \\ text'),
        ]
        steps.append((kinds[kind], coordinates))
        final |= {number} if kind in (1, 2, 3) else set()
    return steps


def cluster(bootstrap: str) -> Cluster:
    """For any client."""
    return Cluster(bootstrap)


@asynccontextmanager
async def writing(bootstrap: str, prefix: str) -> AsyncIterator[FencedProducer]:
    """The lane's own producer."""
    async with fenced_producer(cluster(bootstrap), prefix, 0) as producer:
        yield producer


async def kept(bootstrap: str, prefix: str, steps: Sequence[tuple[Entry, str]], at_once: int = 7) -> Ledger:
    """A ledger all in memory, whose records are in the topic."""
    ledger = Ledger(Place(prefix, 0), {})
    async with writing(bootstrap, prefix) as producer:
        for first in range(0, len(steps), at_once):
            records = [record for entry, place in steps[first : first + at_once] for record in ledger.write(entry, place)]
            await producer.transaction([*records, ledger.footer(first, [(first + 2, first + 3)])])
    return ledger


async def said(ledger: Ledger, commands: int) -> list[Any]:
    """All that a ledger knows, and what it does not."""
    names = range(commands + 5)
    return [
        [await ledger.entry(f"c-{number}") for number in names],
        [await ledger.redriven(f"0:{number}") for number in names],
        [await ledger.creation(f"web-{number}") for number in names],
        [await ledger.slip_maker(f"s-{number}") for number in names],
        [ledger.queued(f"web-{number}") for number in names],
        sorted(entry.command_id for entry in ledger.open_intents()),
    ]


@pytest.mark.parametrize("tail", [0, 40, 10_000])
@pytest.mark.parametrize("same", [False, True])
async def test_what_is_looked_up_is_what_was_written(
    bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch, tail: int, same: bool
) -> None:
    """However little of it is in memory, and also where every key has the same hash."""
    if same:
        monkeypatch.setattr(ledger_index, "hash", lambda _: 7, raising=False)
    commands = 6 if same else 40
    await create_topic(bootstrap, prefix)
    steps = history(random.Random(tail), commands)
    expected = await kept(bootstrap, prefix, steps)
    found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=tail)
    written, known = await said(expected, commands), await said(found, commands)
    if same:
        written[QUEUED], known[QUEUED] = [], []  # whether an order is queued is told by hashes alone
    assert written == known
    last = 7 * ((len(steps) - 1) // 7)
    assert (last, [(last + 2, last + 3)]) == (found.offset, found.finished.ranges)


STRANGE = [
    b"",
    b"no JSON",
    b"[1]",
    b"null",
    b'{"type":"INTENT","entry":{"half',
    b'{"type":"DONE","entry":{"outcome":"succeeded","command":"createOrder"',
    b'{"type":"DONE","entry":{"result":7,"outcome":"succeeded",',
    b'{"type": "INTENT", "entry": 7}',
    b"\xff\xfe" * 1000,
]


@pytest.mark.parametrize("tail", [0, 1000])
async def test_what_strangers_write_stops_no_ledger(bootstrap: str, prefix: str, tail: int) -> None:
    """Under keys of commands, of the lane and of nobody: what this program wrote is known as before."""
    await create_topic(bootstrap, prefix)
    place = Place(prefix, 0)
    async with fenced_producer(Cluster(bootstrap), prefix, 0) as producer:
        ours = [*Ledger(place, {}).write(done(1)), *Ledger(place, {}).write(intent(2)), Ledger(place, {}).footer(7, [], "ours")]
        for value in STRANGE:
            await producer.transaction(
                [Record(prefix, key, value, partition=0) for key in (b"c-9", b"lane:0", b"lane:x", b"\xff")]
            )
        await producer.transaction(ours)
        for value in STRANGE:
            await producer.transaction([Record(prefix, key, value, partition=0) for key in (b"c-8", b"lane:0", b"redrive:x")])
    ledger = await read_back(Cluster(bootstrap), place, 0.0, tail=tail)
    assert (7, "ours") == (ledger.offset, ledger.group)
    assert [intent(2)] == list(ledger.open_intents())
    assert (done(1), intent(2)) == (await ledger.entry("c-1"), await ledger.entry("c-2"))
    assert "c-1" == getattr(await ledger.creation("web-1"), "command_id", None)


async def test_a_ledger_is_counted(bootstrap: str, prefix: str) -> None:
    """Commands and redriven letters, wherever they are kept."""
    await create_topic(bootstrap, prefix)
    steps: list[tuple[Entry, str]] = [(intent(1), ""), (done(1), ""), (intent(2), ""), (done(3), "0:7"), (intent(4), "")]
    assert 5 == len(await kept(bootstrap, prefix, steps))
    sizes = []
    for tail in (0, 5, 100):
        found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=tail)
        assert 5 == len(found)
        sizes.append(found.bytes_kept)
    assert 0 == sizes[0] < sizes[1] < sizes[2]


async def test_an_open_call_is_in_memory_though_its_command_ended_before(bootstrap: str, prefix: str) -> None:
    """A letter that is redriven: the DONE of its unknown outcome is older."""
    await create_topic(bootstrap, prefix)
    await kept(bootstrap, prefix, [(done(1, outcome="unknown"), ""), (intent(1, 2), "0:5")])
    found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=0)
    assert intent(1, 2) == await found.entry("c-1")
    assert [intent(1, 2)] == list(found.open_intents())
    found.write(done(1))
    assert [] == list(found.open_intents())


@pytest.mark.parametrize("tail", [0, 100])
async def test_a_tombstone_takes_a_command_out(bootstrap: str, prefix: str, tail: int) -> None:
    """Nobody here writes one; an operator may, and what was before it may still lie there."""
    await create_topic(bootstrap, prefix)
    await kept(bootstrap, prefix, [(done(1), ""), (done(2), ""), (intent(3), "")])
    async with writing(bootstrap, prefix) as producer:
        await producer.transaction([Record(prefix, key, None, partition=0) for key in (b"c-1", b"c-3")])
    found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=tail)
    assert [None, done(2), None] == [await found.entry(f"c-{number}") for number in (1, 2, 3)]
    assert [] == list(found.open_intents())


async def test_a_record_that_cannot_be_looked_up_is_not_unknown(
    own_kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker is away the session is lost; a command that nobody has heard of is no look-up."""
    monkeypatch.setattr(lookups, "PATIENCE_S", 0.5)
    address = own_kafka.bootstrap
    await create_topic(address, prefix)
    await kept(address, prefix, [(done(1, command="deliverOrder", packingSlipId="s-1"), "0:5"), (done(2), "")])
    found = await read_back(cluster(address), Place(prefix, 0), 0.0, tail=0)
    await asyncio.to_thread(own_kafka.kill)
    assert [None, None, None] == [await found.entry("new"), await found.creation("new"), await found.slip_maker("new")]
    for asking in (found.entry("c-1"), found.redriven("0:5"), found.creation("web-2"), found.slip_maker("s-1")):
        with pytest.raises(TransactionLost):
            await asking
    await asyncio.to_thread(own_kafka.restart)
    assert done(2) == await found.entry("c-2")


async def test_what_retention_deletes_is_forgotten(bootstrap: str, prefix: str) -> None:
    """And, bit by bit, also where it was kept."""
    await create_topic(bootstrap, prefix)
    await kept(bootstrap, prefix, [(done(number), "") for number in range(200)])
    found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=0)
    lowest = next(record.offset for record in await read_all(bootstrap, prefix) if record.key == b"c-150")
    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(prefix, 0): RecordsToDelete(before_offset=lowest)})
    assert [None, done(150)] == [await found.entry(f"c-{number}") for number in (149, 150)]
    assert [None, "c-150"] == [made and made.command_id for made in [await found.creation(f"web-{n}") for n in (149, 150)]]
    assert 200 == len(found)
    for _ in range(100):
        found.aged(1.0, 3600.0)
    assert 50 == len(found)


async def test_what_compaction_deletes_was_replaced(bootstrap: str, prefix: str) -> None:
    """By a newer record of the same command, which is found, here or in memory."""
    cleaning = {"segment_ms": "100", "min_cleanable_dirty_ratio": "0.01", "max_compaction_lag_ms": "100"}
    await create_topic(bootstrap, prefix, 1, cleanup_policy="compact", **cleaning)
    await kept(bootstrap, prefix, [(done(1, outcome="unknown"), ""), (done(2, outcome="unknown"), ""), (done(1), "")], 1)
    found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=0)
    async with writing(bootstrap, prefix) as producer:
        await producer.transaction(found.write(done(2)))
        async with asyncio.timeout(60):
            while len([1 for record in await read_all(bootstrap, prefix) if record.key in (b"c-1", b"c-2")]) > 2:
                await asyncio.sleep(0.2)  # the segment is rolled, and then cleaned
                await producer.transaction([Record(prefix, b"roll", b"{}", partition=0)])
    assert [done(1), done(2)] == [await found.entry("c-1"), await found.entry("c-2")]
    again = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=0)
    assert [done(1), done(2)] == [await again.entry("c-1"), await again.entry("c-2")]


async def test_a_ledger_that_lost_its_end_is_read_anew(bootstrap: str, prefix: str) -> None:
    """Records that were read and are no more, and were not deleted by age: what is known is not to be trusted."""
    await create_topic(bootstrap, prefix)
    await kept(bootstrap, prefix, [(done(number), "") for number in range(20)])
    found = await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=0)
    async with admin(bootstrap) as client:
        await client.delete_topics([prefix])
        async with asyncio.timeout(15):
            while prefix in await client.list_topics():  # noqa: ASYNC110 - brokers tell nobody when it is gone
                await asyncio.sleep(0.1)
    await create_topic(bootstrap, prefix)
    await kept(bootstrap, prefix, [(done(1), "")])
    with pytest.raises(TransactionLost):
        await found.entry("c-19")


async def test_what_a_long_tenure_writes_is_not_kept_for_ever(
    bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed is read into the index; what is not yet, and every call whose end is not known, stays."""
    monkeypatch.setattr(ledgers, "KEPT_BYTES_MAX", 5_000)
    await create_topic(bootstrap, prefix)
    whole, found = Ledger(Place(prefix, 0), {}), await read_back(cluster(bootstrap), Place(prefix, 0), 0.0, tail=0)
    hand, open_call = done(1000, message="not committed yet"), intent(1001)
    for ledger in (whole, found):
        ledger.write(hand)
        ledger.write(open_call)
    async with writing(bootstrap, prefix) as producer:
        steps = history(random.Random(5), 120)
        for first in range(0, len(steps), 60):
            await _lived(producer, whole, found, steps[first : first + 60])
            assert found.bytes_kept > 5_000
            await read_all(bootstrap, prefix)  # until the transaction's marker is written, a moment after its commit
            await found.entry("c-1")
            assert found.bytes_kept <= 5_000
            assert await said(whole, 120) == await said(found, 120)
            assert [hand, open_call] == [await found.entry(f"c-{number}") for number in (1000, 1001)]
    assert whole.bytes_kept > 20_000


async def _lived(producer: FencedProducer, whole: Ledger, found: Ledger, steps: Sequence[tuple[Entry, str]]) -> None:
    for entry, place in steps:
        whole.write(entry, place)
    records = [record for entry, place in steps for record in found.write(entry, place)]
    await producer.transaction([*records, found.footer(0, [(2, 3)])])

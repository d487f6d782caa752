"""The small parts of a lane: what the ledger remembers, how long a proof is good, and what becomes of a call."""

import asyncio
from typing import Any

import orjson
import pytest

from connector.errors import AccessDenied, Fenced, NotSent, Refused, Retry, Unanswered, UnknownOperation
from connector.kafka.records import Place
from connector.messages.command import Command
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sink.blame import Tally, Trouble
from connector.sink.commands.spec import idempotency_key
from connector.sink.ledger.ledger import Done, Intent, Ledger, decode, encode
from connector.sink.pos.calls import LEFT_MAX, Calls
from connector.sink.pos.replies import SILENCE, Kind
from connector.sink.task import MembershipProof

PLACE = Place("a.command-ledger", 3)
BEFORE = {"delivered": {"l-1": "0.5"}, "packingSlipIds": ["s-1"], "references": {"c-1": 2}, "lock": {"changeCounter": 3}}
INTENT = Intent("c-1", "payOrder", "web-1", 7, "d", "payOrderV2", "o-1", "web-1", "web-1/c-1", BEFORE, 2, "i-1", "t", 1)
RESULT: dict[str, Any] = {"command": "createOrder", "outcome": "succeeded", "extOrderId": "web-1", "syncMarker": 7}
DONE = Done("c-1", 7, "d", RESULT)


@pytest.mark.parametrize("entry", [INTENT, DONE, Done("c-1", 7, "d", {**RESULT, "outcome": "unknown"}, INTENT)])
def test_an_entry_comes_back_as_it_was(entry: Intent | Done) -> None:
    """With everything that reconciling needs."""
    assert entry == decode(encode(entry))


async def test_a_ledger_that_is_read_back_knows_what_was_written() -> None:
    """Entries, redriven letters, where the lane stands, who created which order, and what is queued."""
    first = Ledger(PLACE, {})
    assert (0, [], 0) == (first.offset, first.finished.ranges, len(first))
    records = [*first.write(INTENT), *first.write(DONE, "4:12"), first.footer(8, [(9, 9), (11, 12)])]
    records += first.write(Done("c-2", 8, "d", {**RESULT, "extOrderId": "web-2", "syncMarker": None}))
    assert {(PLACE.topic, 3)} == {(record.topic, record.partition) for record in records}

    found = Ledger(PLACE, {record.key or b"": record.value or b"" for record in records})
    assert (8, [(9, 9), (11, 12)]) == (found.offset, found.finished.ranges)
    assert (DONE, None) == (await found.entry("c-1"), await found.entry("c-3"))
    for ledger in (first, found):
        assert [True, False] == [await ledger.redriven("4:12"), await ledger.redriven("4:13")]
        creations = [await ledger.creation(name) for name in ("web-1", "web-2", "web-3")]
        assert ["c-1", "c-2", None] == [made and made.command_id for made in creations]
        assert [False, True] == [ledger.queued("web-1"), ledger.queued("web-2")]


@pytest.mark.parametrize("up", [0.0, 10_000_000.0])
async def test_entries_are_forgotten_when_they_are_old(up: float) -> None:
    """However long the machine has been up: what was read back counts as new, and what is written again is new again."""
    ledger = Ledger(PLACE, {b"c-1": encode(DONE), b"c-2": encode(Done("c-2", 8, "d", RESULT))}, up)
    ledger.aged(up, 100)
    assert 2 == len(ledger)
    ledger.aged(up + 50, 100)
    ledger.write(Done("c-2", 8, "d", RESULT))
    ledger.write(Done("c-3", 9, "d", RESULT))
    ledger.aged(up + 101, 100)
    entries = [await ledger.entry(name) for name in ("c-1", "c-2", "c-3")]
    assert [None, "c-2", "c-3"] == [entry and entry.command_id for entry in entries]
    ledger.aged(up + 151, 100)
    assert 0 == len(ledger)


class Group:
    """A membership that counts how often it is proven."""

    def __init__(self) -> None:
        self.proofs = 0
        self.lost = False

    async def prove(self, place: Place, offset: int | None = None) -> None:
        self.proofs += 1
        if self.lost:
            raise Fenced("lost")

    async def committed(self, place: Place) -> int:
        return 7


async def test_a_proof_is_good_for_a_while() -> None:
    """Then it is asked for again; it counts from when it was asked, and one that fails is none."""
    now, group = [0.0], Group()
    proof = MembershipProof(group, PLACE, 5.0, lambda: now[0])
    now[0] = 5.0
    await proof.fresh()
    assert 0 == group.proofs
    now[0] = 5.1
    await proof.fresh()
    await proof.fresh()
    assert 1 == group.proofs
    await proof.prove(PLACE, 3)
    now[0], group.lost = 10.2, True
    for proofs in (3, 4):
        with pytest.raises(Fenced):
            await proof.fresh()
        assert proofs == group.proofs
    assert 7 == await proof.committed(PLACE)


class Answering:
    """A Pos that answers when it is told, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.opened, self.asked = asyncio.Event(), asyncio.Event()
        self.sent = 0
        self._error = error

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        self.sent += 1
        self.asked.set()
        await self.opened.wait()
        if self._error:
            raise self._error
        return OrderAnswer("OK", message="fine")

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        raise NotImplementedError

    async def page(self, *_: Any) -> list[Any]:
        raise NotImplementedError

    async def turn(self) -> None:
        pass


KINDS = [
    (None, Kind.ANSWERED),
    (Retry("it failed"), Kind.FAILED),
    (Unanswered("no answer"), Kind.SILENT),
    (NotSent("not there"), Kind.NOT_SENT),
    (AccessDenied("no"), Kind.DENIED),
    (Refused("no licence"), Kind.REFUSED),
    (UnknownOperation("not implemented"), Kind.MISSING),
    (ValueError("a mistake"), Kind.SILENT),
]


@pytest.mark.parametrize(("error", "kind"), KINDS)
async def test_what_becomes_of_a_call(error: Exception | None, kind: Kind) -> None:
    """Every way in which a call can end is a reply."""
    pos = Answering(error)
    pos.opened.set()
    calls = Calls(pos)
    reply = await calls.make("i-1", "c-1", "payOrder", [])
    text = "the call failed (ValueError)" if isinstance(error, ValueError) else str(error or "fine")
    assert (kind, text) == (reply.kind, reply.text)
    assert reply is await calls.reply("i-1")
    calls.told("c-1")
    assert SILENCE == await calls.reply("i-1")


async def test_a_call_outlives_who_waits_for_it() -> None:
    """Cancelling the waiting cancels no call; its reply is there for whoever asks next, until the result is told."""
    pos = Answering()
    calls = Calls(pos)
    waiting = asyncio.create_task(calls.make("i-1", "c-1", "payOrder", []))
    await pos.asked.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    pos.opened.set()
    assert [Kind.ANSWERED] * 2 == [(await calls.reply("i-1")).kind for _ in range(2)]
    calls.told("c-1")
    assert SILENCE == await calls.reply("i-1")
    assert 1 == pos.sent


async def test_calls_end_with_their_worker() -> None:
    """After the moment that they are given they are given up: who comes next must look."""
    pos = Answering()
    calls = Calls(pos)
    waiting = asyncio.create_task(calls.make("i-1", "c-1", "payOrder", []))
    await pos.asked.wait()
    await calls.end(0.0)
    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_replies_that_nobody_asks_for_are_bounded() -> None:
    """A partition that does not come back leaves its replies behind: the oldest of them are dropped."""
    pos = Answering()
    pos.opened.set()
    calls = Calls(pos)
    for number in range(LEFT_MAX + 50):
        waiting = asyncio.create_task(calls.make(f"i-{number}", "c-1", "payOrder", []))
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert SILENCE == await calls.reply("i-0")
    assert Kind.ANSWERED == (await calls.reply(f"i-{LEFT_MAX + 49}")).kind


async def test_calls_of_others_are_counted_apart() -> None:
    """What the POS made of a command's own calls says nothing of others; once it has ended, they are others' calls."""
    answering, failing = Answering(), Answering(Retry("it failed"))
    answering.opened.set()
    failing.opened.set()
    calls = Calls(answering)
    for pos, command in ((answering, "c-1"), (failing, "c-2"), (answering, "c-2"), (answering, "c-2")):
        calls.pos = pos
        await calls.make("i", command, "payOrder", [])
    assert [Tally(2, 1), Tally(1, 0), Tally(3, 1)] == [calls.others(name) for name in ("c-1", "c-2", "c-3")]
    calls.ended("c-2")
    assert [Tally(2, 1), Tally(3, 1)] == [calls.others("c-1"), calls.others("c-2")]


def trouble(*failures: tuple[float, Tally]) -> Trouble:
    """A command that failed at these seconds, each with what the POS had done for others by then."""
    found = Trouble()
    for at, others in failures:
        found.failed(at, others)
    return found


def test_an_outage_of_all_is_nobodys_fault() -> None:
    """However often and long a command fails: while nobody is carried out, nothing of it counts."""
    found = trouble(*((15.0 * number, Tally(5, number)) for number in range(1000)))
    assert not found.is_hopeless(Tally(5, 1000), 900.0)
    found.failed(15_000.0, Tally(6, 1000))
    assert not found.is_hopeless(Tally(6, 1000), 900.0)


@pytest.mark.parametrize(("share", "needed"), [(0, 3), (1, 14), (3, 40)])
def test_a_command_is_given_up_when_chance_cannot_explain_it(share: int, needed: int) -> None:
    """The more calls of others fail, the more failures in a row it takes; `share`: of others' calls for each that succeeds."""
    failures, number = list[tuple[float, Tally]](), 0
    while not trouble(*failures).is_hopeless(Tally(1000 * number, 1000 * number * share), 10.0):
        number += 1
        failures.append((15.0 * number, Tally(1000 * number, 1000 * number * share)))
    assert needed <= len(failures) <= 2 * needed


@pytest.mark.parametrize(
    ("key", "command_id", "generation", "expected"),
    [
        ("web-1", "c-1", 0, "web-1/c-1"),
        ("web-1", "c-1", 2, "web-1/c-1/2"),
        ("web/1", "c-1", 0, None),
        ("web-1", "c/1", 0, None),
        ("w" * 70, "c-1", 0, None),
    ],
)
def test_the_idempotency_key(key: str, command_id: str, generation: int, expected: str | None) -> None:
    """Record key and commandId; hashed where that is long, or where two pairs could look alike."""
    command = Command(command_id, "payOrder", key, "", key, {}, "d", None)
    found = idempotency_key(command, generation)
    assert found == expected if expected else (len(found) == 64 and found.isalnum())


def test_no_two_commands_share_a_key() -> None:
    """Whatever stands in key and commandId."""
    pairs = [("a/b", "c"), ("a", "b/c"), ("a", "b"), ("a/b", ""), ("a", "b/1")]
    keys = {idempotency_key(Command(name, "payOrder", key, "", key, {}, "d", None), 0) for key, name in pairs}
    keys.add(idempotency_key(Command("b", "payOrder", "a", "", "a", {}, "d", None), 1))
    assert len(pairs) + 1 == len(keys)


def test_a_result_is_json() -> None:
    """What the ledger keeps is what a reader of the topic sees."""
    assert {"type": "DONE", "entry": orjson.loads(orjson.dumps(DONE))} == orjson.loads(encode(DONE))

"""The middle box itself: what it says, what the POS gets of it, and when."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from xml.etree import ElementTree as ET

import aiohttp
import pytest

from connector.mplus.request import request
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.sink.commanding import cancel, create
from tests.support.sink.lone_executor import lone_executor
from tests.support.sink.middle_answers import ANSWERS
from tests.support.sink.middle_box import MiddleBox, Seen


@asynccontextmanager
async def boxed(seed: int = 1) -> AsyncIterator[MiddleBox]:
    """A box before a sandbox of its own."""
    async with Sandbox(SandboxOptions(items=3, forget_keys=0)) as pos, MiddleBox(pos, seed=seed) as box:
        yield box


async def asked(box: MiddleBox, operation: str = "getOrder", order: str = "none") -> tuple[int, dict[str, str], bytes]:
    """One call through the box: status, headers and body as they come; (0, {}, b"") where the connection ends."""
    body = request(operation, [("orderId", order)])
    query = {"ident": box.ident, "secret": box.secret}
    with suppress(aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError):
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.post(box.url, params=query, data=body, headers={"SOAPAction": operation}, allow_redirects=False) as reply,
        ):
            return reply.status, dict(reply.headers), await reply.read()
    return 0, {}, b""


async def ordered(box: MiddleBox) -> str:
    """The orderId of a new order."""
    async with lone_executor(box.as_pos) as bench:
        await bench.run(create("c-0", "web-1"))
        return str(bench.order("web-1")["orderId"])


def done(box: MiddleBox) -> list[str]:
    """What was done to the order after it was made."""
    return [row["effect"] for row in box.effects][1:]


async def test_it_hands_on_what_nobody_asked_it_to_spoil() -> None:
    """A command through the box ends as it does without, and the POS's own refusals come through."""
    async with boxed() as box:
        async with lone_executor(box.as_pos) as bench:
            await bench.run(create("c-1", "web-1"))
            result = await bench.run(cancel("c-2", "web-1"))
        status, _, body = await asked(box, "noSuchOperation")

    assert ("succeeded", ["cancelled"]) == (result["outcome"], done(box))
    assert (500, True) == (status, b"Fault" in body)
    assert {""} == {seen.answer for seen in box.seen}


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_answer_of_it_is_the_poss(name: str) -> None:
    """Each goes out with the POS's work done before it, and holds neither the operation's whole response nor a fault."""
    async with boxed() as box:
        order = await ordered(box)
        box.answer(name, operations=["cancelOrder"])
        status, _, body = await asked(box, "cancelOrder", order)

    assert ["cancelled"] == done(box)
    assert not (status == 200 and _told(body) & {"CancelOrderResponse", "Fault"}), body


def _told(body: bytes) -> set[str]:
    """The names of what stands in the body of a whole envelope."""
    try:
        return {element.tag.rpartition("}")[2] for element in ET.fromstring(body).iterfind("./*/*")}
    except ET.ParseError:
        return set()


async def test_each_answer_says_what_its_name_says() -> None:
    """Statuses are the names'; the two that ask to wait say how long; a redirect leads to the POS; ends are cut."""
    async with boxed() as box:
        order = await ordered(box)
        told = {}
        for name in ANSWERS:
            box.answer(name, operations=["getOrder"])
            told[name] = await asked(box, order=order)

    assert {name: int(name) for name in told if name.isdigit()} == {name: told[name][0] for name in told if name.isdigit()}
    assert {"429", "503"} == {name for name, (_, headers, _) in told.items() if "Retry-After" in headers}
    assert [box.pos.url] * 2 == [told[name][1]["Location"].partition("?")[0] for name in ("302", "307")]
    assert {"closed", "cut connection"} == {name for name, (status, _, _) in told.items() if status == 0}
    assert {"PayOrderResponse"} == _told(told["another operation"][2])
    assert b"GetOrderResponse" in told["cut"][2]
    assert {"204", "empty"} == {name for name, (status, _, body) in told.items() if status and not body}


@pytest.mark.parametrize("seconds", [0.05, None])
async def test_later_is_after_the_answer(seconds: float | None) -> None:
    """The POS has heard nothing when the answer is there; it has after `settled`, and what is held only after `release`."""
    async with boxed() as box:
        order = await ordered(box)
        box.answer("504", operations=["cancelOrder"], forward="later", seconds=seconds)
        await asked(box, "cancelOrder", order)
        at_once = done(box)
        await box.settled()
        settled = done(box)
        await box.release()

    assert ([], [] if seconds is None else ["cancelled"], ["cancelled"]) == (at_once, settled, done(box))


@pytest.mark.parametrize("seconds", [60.0, None])
async def test_nothing_is_to_come_when_it_ends(seconds: float | None) -> None:
    """A test that looks at effects too early fails, instead of passing for the wrong reason."""

    async def too_early() -> None:
        async with boxed() as box:
            box.answer("504", forward="later", seconds=seconds)
            await asked(box)

    with pytest.raises(AssertionError, match="1 calls are still to come"):
        await too_early()


async def test_never_is_never() -> None:
    """The POS hears nothing of it."""
    async with boxed() as box:
        order = await ordered(box)
        box.answer("502", operations=["cancelOrder"], forward="never")
        await asked(box, "cancelOrder", order)
        await box.settled()
        await box.release()

    assert [] == done(box)


async def test_it_counts_and_names() -> None:
    """Only so many calls of the named operations; then, and all others, are handed on; and it says what it did."""
    async with boxed() as box:
        box.answer("429", operations=["getOrder"], forward="never", count=2)
        statuses = [(await asked(box, operation))[0] for operation in ("getOrder", "findOrder", "getOrder", "getOrder")]

    assert [429, 200, 429, 200] == [status if status == 429 else 200 for status in statuses]
    assert [Seen("getOrder", "429", "never"), Seen("findOrder", "", "before")] == box.seen[:2]


async def test_chance_is_the_seeds() -> None:
    """With a probability, several answers and ways, the same seed does the same; another does not."""
    told = []
    for seed in (7, 7, 8):
        async with boxed(seed) as box:
            box.answer("502", "html", "closed", forward=("before", "never"), count=None, probability=0.5)
            for _ in range(20):
                await asked(box)
            told.append(box.seen)

    assert told[0] == told[1] != told[2]
    assert {"", "502", "html", "closed"} == {seen.answer for seen in told[0]}


async def test_it_cuts_where_the_pos_cuts() -> None:
    """A connection that the POS ends, before or amid its answer, ends for the caller too; nothing of the box stands in for it."""
    async with boxed() as box:
        ends = []
        for fault in ("drop_after", "truncate"):
            box.faults.switch(fault, count=1, operations=["getOrder"])
            ends.append((await asked(box))[0])

    assert [0, 0] == ends

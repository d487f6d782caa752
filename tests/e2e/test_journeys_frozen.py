"""A `views` worker that is frozen while others take over its work, and wakes."""

import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from tests.support.connectors import until
from tests.support.views.filling import environment, fill, journeys_of, prepare, sums_of
from tests.support.views.frozen import FREEZE
from tests.support.views.histories import TOTAL, complete
from tests.support.views.processes import ViewsProcess

FIRST, THEN = 100, 150
SETTLE = 120.0


async def test_a_worker_that_wakes_with_a_batch_in_hand_writes_nothing(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """It ends with a line: what it has in hand is older than what its successor wrote."""
    told = environment(bootstrap, prefix, command_partitions=1, partitions=1, session_timeout=2)
    await prepare(told)
    await fill(told, (made for number in range(FIRST) for made in complete(number)))
    frozen = ViewsProcess({**told, FREEZE: "2"}, tmp_path / "frozen", module="tests.support.views.frozen")
    heir = None
    try:
        await until(lambda: frozen.stopped, SETTLE, lambda: f"it is frozen: {frozen.said}")
        heir = ViewsProcess(told, tmp_path / "heir")
        await fill(told, (made for number in range(FIRST, THEN) for made in complete(number)))
        await until(lambda: _counted(bootstrap, prefix), SETTLE, lambda: f"the heir counts all: {heir and heir.said}", every=0.5)
        frozen.signal(signal.SIGCONT)
        assert 1 == await frozen.ended()
        assert 0 == await heir.stop()
    finally:
        frozen.end()
        if heir is not None:
            heir.end()

    assert "views cannot go on (Overtaken" in frozen.said
    assert "Traceback" not in frozen.said
    assert await _counted(bootstrap, prefix)
    assert Counter({"paid": THEN}) == Counter(row["state"] for row in (await journeys_of(bootstrap, prefix)).values())


async def _counted(bootstrap: str, name: str) -> bool:
    """Whether the figures are those of all orders."""
    found = await sums_of(bootstrap, name)
    wanted = {"changes.order": (4 * THEN, 0), "revenue.ordered": (THEN, THEN * TOTAL), "revenue.invoiced": (THEN, THEN * TOTAL)}
    return wanted.items() <= found.items()


async def test_the_page_of_one_worker_tells_that_another_is_behind(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """One that stands still cannot say so itself, and figures on the page are of all."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=2, session_timeout=60)
    await prepare(told)
    frozen, other = ViewsProcess(told, tmp_path / "frozen"), ViewsProcess(told, tmp_path / "other")

    async def doubts() -> str:
        parts = orjson.loads((await other.get("/api/state"))[1] or b"{}").get("parts", {})
        return " ".join(parts.get("views") or [])

    async def said(words: str) -> bool:
        return words in await doubts()

    try:
        for worker in (frozen, other):
            await worker.up_to_date(SETTLE)
        frozen.signal(signal.SIGSTOP)
        await fill(told, (made for number in range(4 * THEN) for made in complete(number)))
        await until(lambda: said("are still to be read by other workers of views"), SETTLE, "the other one tells", every=0.5)
        frozen.signal(signal.SIGCONT)
        await until(lambda: _silent(doubts), SETTLE, "all is read", every=0.5)
        for worker in (frozen, other):
            assert 0 == await worker.stop()
    finally:
        frozen.end()
        other.end()


async def _silent(doubts: Callable[[], Awaitable[str]]) -> bool:
    return await doubts() == ""


async def test_an_idle_worker_that_wakes_goes_on(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """It joins again, and takes over when the other one stops."""
    told = environment(
        bootstrap, prefix, command_partitions=1, partitions=1, session_timeout=5
    )  # a busy machine may keep it waiting for two
    await prepare(told)
    frozen, heir = ViewsProcess(told, tmp_path / "frozen"), None
    try:
        await frozen.up_to_date(SETTLE)
        frozen.signal(signal.SIGSTOP)
        heir = ViewsProcess(told, tmp_path / "heir")
        await heir.up_to_date(SETTLE)  # by then what the broker held back for the frozen one's fetch was answered: with nothing
        await fill(told, (made for number in range(FIRST) for made in complete(number)))
        await heir.up_to_date(SETTLE)
        frozen.signal(signal.SIGCONT)
        await fill(told, (made for number in range(FIRST, THEN) for made in complete(number)))
        assert 0 == await heir.stop()
        await until(lambda: _counted(bootstrap, prefix), SETTLE, lambda: f"it counts the rest: {frozen.said}", every=0.5)
        assert 0 == await frozen.stop()
    finally:
        frozen.end()
        if heir is not None:
            heir.end()

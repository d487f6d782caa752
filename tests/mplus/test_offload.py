"""Decoding in a child process gives what decoding here gives, and its troubles stay its own."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mplus.responses import pipe as link
from connector.mplus.responses import process as offload
from connector.mplus.responses import worker as child
from connector.mplus.responses.pages import (
    FaultError,
    Item,
    NotWellFormed,
    PageDecoder,
    PageError,
    PageSpec,
    TooLarge,
    Undecodable,
)
from connector.mplus.responses.process import (
    FRAMES_MAX,
    SENT_AT_ONCE_BYTES,
    Decoder,
    DecoderDied,
    DecoderProcess,
    DecoderUnavailable,
    Decoding,
    InlineDecoder,
)
from tests.bench.pages import order_page
from tests.support.pos.page_samples import FAULT, SMALL

SPEC = PageSpec(("orderList", "order"), "order", (("orderId", None),), "syncMarker", omit=frozenset({"rfid", "password"}))
PAGE = order_page(120)
CAREFUL = replace(SPEC, careful=True)
LARGE = SMALL[: SMALL.index(b"</n:reference>")] + b"x" * (66 << 20)
PARENT = """
import asyncio, os, sys
from connector.mplus.responses.process import DecoderProcess
from connector.mplus.responses.pages import PageError, PageSpec
async def main():
    async with DecoderProcess() as decoder:
        page = decoder.open(PageSpec(("orderList", "order"), "order", (("orderId", None),), "syncMarker"))
        try:
            await page.close()
        except PageError:
            pass
        print(decoder.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
async def decoder() -> AsyncIterator[DecoderProcess]:
    """A decoder process of one's own."""
    async with DecoderProcess() as process:
        yield process


async def _read(decoder: Decoder, page: bytes = PAGE, chunk: int = 50_000, spec: PageSpec = SPEC) -> list[Item | Undecodable]:
    decoding, found = decoder.open(spec), []
    try:
        for start in range(0, len(page), chunk):
            found += await decoding.feed(page[start : start + chunk])
        return found + await decoding.close()
    finally:
        decoding.abandon()


async def _fed(feeding: Awaitable[object]) -> bool:
    try:
        await asyncio.wait_for(feeding, 1)
    except TimeoutError:
        return False
    return True


def _in_flight(page: Decoding) -> int:
    assert isinstance(page, offload.RemoteDecoding)
    return page.in_flight


def _children() -> set[int]:
    """Child processes of this one that decode."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in own if b"connector.mplus.responses.worker" in _command_line(int(pid))}


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return b""


async def _only(*pids: int | None) -> None:
    """Wait until there are no other children."""
    while _children() != set(pids):  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _environment(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(pid)


async def test_same_items_as_here(decoder: DecoderProcess) -> None:
    """Child and parent decode alike, good items and bad ones."""
    for page in (PAGE, SMALL):
        assert await _read(decoder, page) == await _read(InlineDecoder(), page)
    assert {type(item) for item in await _read(decoder, SMALL)} == {Item, Undecodable}


async def test_many_pages_at_once(decoder: DecoderProcess) -> None:
    """Pages that are fed at the same time do not get mixed up."""
    pages = [order_page(40, seed=seed) for seed in range(6)]
    found = await asyncio.gather(*(_read(decoder, page, 30_000 + seed) for seed, page in enumerate(pages)))
    assert found == [await _read(InlineDecoder(), page) for page in pages]


async def test_a_page_fails_alone(decoder: DecoderProcess) -> None:
    """A garbled page, a truncated one and a fault are raised at that page only."""
    outcomes = await asyncio.gather(
        _read(decoder, PAGE[:-1]), _read(decoder, b"<x>&y;" + PAGE), _read(decoder, FAULT), _read(decoder), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [PageError, NotWellFormed, FaultError, list]
    assert isinstance(outcomes[2], FaultError)
    assert (outcomes[2].code, outcomes[2].text) == ("Client.Authentication", "no such ident")


async def test_kinds_of_failure_cross(decoder: DecoderProcess) -> None:
    """What to do about a page depends on the kind of its error, which the child tells."""
    for page, kind in ((PAGE.replace(b"Tafel", b"&#11;", 1), NotWellFormed), (PAGE[:-1], PageError), (LARGE, TooLarge)):
        with pytest.raises(PageError) as error:
            await _read(decoder, page)
        assert type(error.value) is kind


async def test_a_careful_page_has_a_child_of_its_own(decoder: DecoderProcess) -> None:
    """It starts for this page and ends with it, and gives what reading with care here gives."""
    page = PAGE.replace(b"Tafel", b"&#11;", 3).replace(b"Tafel", b"&", 1)
    found = await _read(decoder, page, spec=CAREFUL)
    assert decoder.pid is None
    assert found == await _read(InlineDecoder(), page, spec=CAREFUL)
    assert [type(item) for item in found].count(Undecodable) == 1
    assert (found[0].marker, found[-1].marker, len(found)) == (1, 120, 120)
    for broken, kind in ((PAGE[:-1], PageError), (PAGE.replace(b"</ns:orderList>", b""), NotWellFormed), (FAULT, FaultError)):
        with pytest.raises(kind):
            await _read(decoder, broken, spec=CAREFUL)
    await _only()


async def test_what_kills_a_careful_page_costs_no_neighbour(decoder: DecoderProcess) -> None:
    """Its child dies alone, and a page given up leaves none behind."""
    careful, other = decoder.open(CAREFUL), decoder.open(SPEC)
    await careful.feed(PAGE[:300_000])
    await other.feed(PAGE[:300_000])
    (pid,) = [pid for pid in _children() if pid != decoder.pid]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(DecoderDied):
        await careful.close()
    careful.abandon()
    given_up = decoder.open(CAREFUL)
    await given_up.feed(PAGE[:300_000])
    given_up.abandon()
    given_up.abandon()
    await other.feed(PAGE[300_000:])
    assert len(await other.close()) > 0
    other.abandon()
    assert len(await _read(decoder)) == 120
    await _only(decoder.pid)


async def test_many_careful_pages(decoder: DecoderProcess) -> None:
    """More of them than may have a child at once take turns, and leave nothing behind."""
    found = await asyncio.gather(*(_read(decoder, SMALL, spec=CAREFUL) for _ in range(offload.CAREFUL_AT_ONCE + 3)))
    assert found == [await _read(InlineDecoder(), SMALL)] * (offload.CAREFUL_AT_ONCE + 3)
    await _only()


async def _fed_and_answered(decoder: DecoderProcess, spec: PageSpec) -> Decoding:
    page = decoder.open(spec)
    await page.feed(PAGE[:300_000])
    while _in_flight(page):  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.01)
    return page


@pytest.mark.parametrize("spec", [SPEC, CAREFUL])
async def test_a_child_that_answers_nothing_is_ended(
    decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch, spec: PageSpec
) -> None:
    """A child that is stuck costs its pages, which are told, and nothing that comes later."""
    pages = [await _fed_and_answered(decoder, spec) for _ in range(2)]
    monkeypatch.setattr(link, "WATCHDOG_S", 0.3)
    monkeypatch.setattr(link, "LAST_WORD_S", 0.1)
    for pid in _children():
        os.kill(pid, signal.SIGSTOP)
    for page in pages:
        with pytest.raises(DecoderDied):
            await page.close()
        page.abandon()
    monkeypatch.undo()
    assert len(await _read(decoder, spec=spec)) == 120


async def test_an_idle_child_is_left_alone(decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that waits for its POS is not stuck: nothing is awaited of the child."""
    await _read(decoder)
    monkeypatch.setattr(link, "WATCHDOG_S", 1.5)
    page, pid = await _fed_and_answered(decoder, SPEC), decoder.pid
    await asyncio.sleep(2)  # longer than a child gets for a frame
    await page.feed(PAGE[300_000:])
    await page.close()
    page.abandon()
    assert decoder.pid == pid


@pytest.mark.parametrize("spec", [SPEC, CAREFUL])
async def test_a_child_that_cannot_start_costs_the_page(decoder: DecoderProcess, spec: PageSpec) -> None:
    """Out of descriptors, a page fails with an error of its own, and the next one is read once there are some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
    spare = []
    try:
        while True:
            spare.append(os.dup(0))
    except OSError:
        pass
    try:
        with pytest.raises(DecoderUnavailable):
            await _read(decoder, spec=spec)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in spare:
            os.close(descriptor)
    assert len(await _read(decoder, spec=spec)) == 120


async def test_a_giant_item_starves_nobody(decoder: DecoderProcess) -> None:
    """Pages share the child frame by frame: a page is done long before the giant item beside it, fed ahead of it, is."""
    giant = asyncio.create_task(_read(decoder, LARGE))
    await asyncio.sleep(0)
    assert len(await _read(decoder)) == 120
    assert not giant.done()
    with pytest.raises(TooLarge):
        await giant


async def test_unknown_schema_fails_that_page(decoder: DecoderProcess) -> None:
    """A defect in one page's opening costs neither the child nor the other pages."""
    page = decoder.open(PageSpec(("a", "b"), "noSuchEntity", (("id", None),), None))
    with pytest.raises(PageError, match="KeyError"):
        await page.close()
    assert len(await _read(decoder)) == 120


async def test_abandoned_pages_are_forgotten(decoder: DecoderProcess) -> None:
    """A page given up in the middle, also twice, leaves the others alone."""
    page = decoder.open(SPEC)
    await page.feed(PAGE[:300_000])
    page.abandon()
    page.abandon()
    decoder.open(SPEC).abandon()
    assert len(await _read(decoder)) == 120


async def test_a_dead_child_is_replaced(decoder: DecoderProcess) -> None:
    """Every page under way is told, and the next one gets a new child."""
    pages = [decoder.open(SPEC) for _ in range(2)]
    for page in pages:
        await page.feed(PAGE[:300_000])
    dead = decoder.pid
    assert dead is not None
    os.kill(dead, signal.SIGKILL)
    for page in pages:
        with pytest.raises(DecoderDied, match="ended before"):
            await page.close()
        page.abandon()
    assert len(await _read(decoder)) == 120
    assert decoder.pid not in {dead, None}


async def test_child_ignores_the_parents_signals(decoder: DecoderProcess) -> None:
    """Ctrl-C reaches the whole process group: only the parent decides what to do."""
    await _read(decoder)
    assert decoder.pid is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(decoder.pid, number)
    assert len(await _read(decoder)) == 120


async def test_child_ends_with_its_decoder() -> None:
    """Leaving the context ends the child; without a page there never was one."""
    async with DecoderProcess() as decoder:
        assert decoder.pid is None
        await _read(decoder)
        pid = decoder.pid
    assert pid is not None
    assert _gone(pid)


def test_no_orphan() -> None:
    """A parent killed by SIGKILL leaves no child behind."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert _gone(pid)


async def test_backpressure(decoder: DecoderProcess) -> None:
    """While the child does not read, feeding waits: no more than a few frames are held."""
    await _read(decoder)
    assert decoder.pid is not None
    page, fed = decoder.open(SPEC), 0
    os.kill(decoder.pid, signal.SIGSTOP)
    try:
        while await _fed(page.feed(b" " * 65_536)):
            fed += 65_536
    finally:
        os.kill(decoder.pid, signal.SIGCONT)
        page.abandon()
    assert fed <= (FRAMES_MAX + 1) * SENT_AT_ONCE_BYTES
    assert len(await _read(decoder)) == 120


async def test_secrets_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment has none of the settings that may hold a secret."""
    monkeypatch.setenv("MPLUS_SECRET", "s3cret")
    async with DecoderProcess() as decoder:
        await _read(decoder)
        assert b"s3cret" not in _environment(decoder.pid)


def test_child_imports_little() -> None:
    """The child does without the libraries of the rest of the connector."""
    code = "import sys, connector.mplus.responses.worker; print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "httpx", "aiokafka", "pydantic", "lxml", "logging", "typer", "ssl"} & set(modules)


RESULTS = st.lists(
    st.builds(
        Item,
        st.integers(-(1 << 63), (1 << 63) - 1),
        st.text(st.characters(blacklist_categories=["Cs"])),
        st.booleans(),
        st.binary(),
    )
    | st.builds(
        Undecodable,
        st.none() | st.integers(0, 99),
        st.none() | st.text("aé", max_size=3),
        st.text("bü", max_size=9),
        st.binary(),
        st.sampled_from(["decode", "too-large"]),
        st.none(),
    )
)


@given(RESULTS)
def test_frames_keep_everything(results: list[Item | Undecodable]) -> None:
    """What is packed is unpacked as it was."""
    assert child.unpacked(child.packed(results)) == results


async def test_inline_page_is_the_page_decoder() -> None:
    """The decoder without a child gives the same as feeding the page at once."""
    page = PageDecoder(SPEC)
    assert await _read(InlineDecoder()) == page.feed(PAGE) + page.close()

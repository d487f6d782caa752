"""Decoding in a child process gives what decoding here gives, and its troubles stay its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mplus import child
from connector.mplus.offload import IN_FLIGHT, SENT_AT_ONCE, Decoder, DecoderDied, DecoderProcess, InlineDecoder
from connector.mplus.pages import FaultError, Item, NotWellFormed, PageDecoder, PageError, PageSpec, Undecodable
from tests.bench.pages import order_page
from tests.mplus.test_decode_pages import FAULT, SMALL

SPEC = PageSpec(("orderList", "order"), "order", (("orderId", None),), "syncMarker", omit=frozenset({"rfid", "password"}))
PAGE = order_page(120)
PARENT = """
import asyncio, os, sys
from connector.mplus.offload import DecoderProcess
from connector.mplus.pages import PageError, PageSpec
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


async def _read(decoder: Decoder, page: bytes = PAGE, chunk: int = 50_000) -> list[Item | Undecodable]:
    decoding, found = decoder.open(SPEC), []
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
    assert fed <= (IN_FLIGHT + 1) * SENT_AT_ONCE
    assert len(await _read(decoder)) == 120


async def test_secrets_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment has none of the settings that may hold a secret."""
    monkeypatch.setenv("MPLUS_SECRET", "s3cret")
    async with DecoderProcess() as decoder:
        await _read(decoder)
        assert b"s3cret" not in _environment(decoder.pid)


def test_child_imports_little() -> None:
    """The child does without the libraries of the rest of the connector."""
    code = "import sys, connector.mplus.child; print(*sorted(sys.modules))"
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
        first=st.none(),
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

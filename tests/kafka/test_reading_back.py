"""Partitions that a worker takes at once are read back before the first of them is polled."""

import asyncio

import pytest

from connector.kafka.reading.reading_back import ReadingBack


async def polled(reading_back: ReadingBack, name: str, ready: asyncio.Event, log: list[str]) -> None:
    """A partition: read back, then polled."""
    with reading_back.one():
        await ready.wait()
        log.append(f"{name} read")
    await reading_back.others()
    log.append(f"{name} polled")


async def turns(count: int = 10) -> None:
    """Let everything run on that can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nobody_polls_before_all_are_read_back() -> None:
    """Their pollers would take the time that the others need."""
    reading_back, log, late, early = ReadingBack(3600), list[str](), asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(polled(reading_back, "one", early, log))
        tasks.create_task(polled(reading_back, "two", late, log))
        await turns()
        early.set()
        await turns()
        assert ["one read"] == log
        late.set()

    assert ["one polled", "two polled"] == sorted(log[2:])


async def test_one_that_comes_alone_does_not_wait() -> None:
    """A single partition that moves here is polled at once; so is one whose predecessor could not be read back."""
    reading_back, log, ready = ReadingBack(3600), list[str](), asyncio.Event()
    ready.set()
    with pytest.raises(OSError, match="gone"), reading_back.one():
        raise OSError("gone")
    async with asyncio.timeout(10):
        await polled(reading_back, "one", ready, log)

    assert ["one read", "one polled"] == log


async def test_one_that_cannot_be_read_back_stops_no_neighbour() -> None:
    """The others wait for it, but not for ever."""
    reading_back, log, ready, never = ReadingBack(0.01), list[str](), asyncio.Event(), asyncio.Event()
    ready.set()
    stuck = asyncio.create_task(polled(reading_back, "stuck", never, log))
    await turns()
    async with asyncio.timeout(10):
        await polled(reading_back, "one", ready, log)

    assert ["one read", "one polled"] == log
    stuck.cancel()
    await asyncio.wait([stuck])

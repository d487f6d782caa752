"""A log that cannot be written: its lines are lost and counted, and nothing else happens."""

import asyncio
import contextlib
import fcntl
import io
import json
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from connector.clock import Clock
from connector.events.base import Event
from connector.events.kafka import Rejoining
from connector.events.pos import CallMade
from connector.events.source import HeadSeen
from connector.ops import fan_out, log
from connector.ops.libraries import LibraryLog
from connector.ops.log_throttle import EVERY_S, LINES_MAX, FloodLog
from connector.ops.metrics import Metrics
from connector.ops.series import SERIES
from connector.ops.status import WorkerStatus
from connector.ops.stream import log_stream
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.ops_events import lines
from tests.support.program import Running, at, killed


def free_port() -> int:
    """One that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


REJOINING = Rejoining("shop.pollers", "the broker is gone")


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    """The log as `run` sets it up, and as it was before afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    log.configure("json", "info")
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@contextmanager
def standard_error(file: Any) -> Iterator[None]:
    """Standard error, for Python and for itself, is this file; None is a closed one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        patch.setattr(sys, "__stderr__", file)
        yield
    if file is not None:
        file.close()


def closed() -> io.TextIOWrapper:
    """A file that is not open any more."""
    with open(os.devnull, "w") as file:
        return file


def full() -> io.TextIOWrapper:
    """A disk without room."""
    return os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")


def nobody_reads() -> io.TextIOWrapper:
    """A pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def gone_below() -> io.TextIOWrapper:
    """A file whose descriptor somebody closed."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    file = os.fdopen(descriptor, "w", closefd=False)
    os.close(descriptor)
    return file


@pytest.mark.parametrize("broken", [closed, full, nobody_reads, gone_below, lambda: None])
def test_a_line_that_cannot_be_written_is_lost_and_counted(broken: Any) -> None:
    """Whoever writes it: an event, a library, asyncio; and every other listener hears what it would have heard."""
    heard: list[Event] = []
    metrics = Metrics(WorkerStatus(Clock(), "", ""))
    tell = fan_out([FloodLog(lambda: 0.0), metrics, heard.append])
    with standard_error(broken()):
        tell(REJOINING)
        logging.getLogger("asyncio").error("Task exception was never retrieved")
        logging.getLogger("aiohttp.server").error("Error handling request")
    metrics.collect()

    assert [REJOINING] == heard
    assert 3 == metrics.registry.get_sample_value("mplus_connector_log_lines_lost_total")
    assert 0 == sum(
        sample.value
        for family in metrics.registry.collect()
        if family.name == "mplus_connector_listener_errors"
        for sample in family.samples
    )


def test_a_line_that_cannot_even_be_made_is_lost_too() -> None:
    """A value whose text cannot be had."""

    class Odd:
        def __repr__(self) -> str:
            raise ValueError("no text")

    before = log_stream().lost
    log.write("info", "odd", value=Odd())

    assert 1 == log_stream().lost - before


async def test_a_reader_that_sleeps_stops_nobody_and_gets_whole_lines_when_it_wakes() -> None:
    """The loop goes on with a full pipe; what was not written is counted; a cut line does not spoil the next one."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    stream, ticks = log_stream(), 0
    text = "x" * 10_000

    async def ticking() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    with standard_error(os.fdopen(writer, "w")):
        ticker = asyncio.create_task(ticking())
        for number in range(50):
            log.write("warning", "long", number=number, text=text)
            await asyncio.sleep(0)
        ticker.cancel()
        lost = stream.lost
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.extend(iter(lambda: os.read(reader, 65536), b"")))
        thread.start()
        while stream.lost > 0 and not (found and b"last" in b"".join(found)):
            log.write("warning", "last")
            await asyncio.sleep(0.01)
        sys.stderr.close()
    thread.join()
    os.close(reader)
    whole = b"".join(found).decode().splitlines()

    assert (50, 50) == (lost, min(ticks, 50))
    assert "last" == json.loads(whole[-1])["event"]
    assert {"last"} == {json.loads(line)["event"] for line in whole[1:]}


def test_what_was_written_is_one_line_each() -> None:
    """In the order of the writing, as JSON, whatever the characters."""
    reader, writer = os.pipe()
    with standard_error(os.fdopen(writer, "w", encoding="ascii")):
        log.write("info", "één", more="\ud800")
        log.write("info", "two")
        sys.stderr.close()
    with os.fdopen(reader) as file:
        assert ["info", "info"] == [json.loads(line)["level"] for line in file]
    assert 0 == log_stream().lost


def test_a_display_that_took_the_place_of_standard_error_gets_the_lines() -> None:
    """The live summary of `run` prints them above itself."""
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", shown)
        log.write("info", "above")

    assert "above" in shown.getvalue()


def out_of_descriptors() -> OSError:
    """As `accept` raises it, with an address in it for good measure."""
    try:
        raise_it(OSError(24, "Too many open files: https://pos.example/?secret=s3cret"))
    except OSError as error:
        return error
    raise AssertionError


def raise_it(error: Exception) -> None:
    """So that it has a place in the code."""
    raise error


def test_a_flood_of_a_library_is_five_lines_a_minute() -> None:
    """Descriptors and addresses make no other line of it; a traceback becomes the error with its place, and no URL is in it."""
    now = 0.0
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, LibraryLog)
    handler.throttle._now = lambda: now
    logger = logging.getLogger("asyncio")
    with lines() as found:
        for number in range(2000):
            logger.error("socket.accept() out of system resource\nsocket: <fd=%d>", number, exc_info=out_of_descriptors())
            logger.error("Task %d was destroyed but it is pending at 0x%x", number, 1000 + number)
        now = EVERY_S
        FloodLog(lambda: now)(HeadSeen("shop", "order", 1, 1, None))

    told = [line for line in found if "more" in line]
    assert (2 * LINES_MAX, [2000 - LINES_MAX] * 2) == (len(found) - len(told), [line["more"] for line in told])
    assert ("error", "asyncio", "socket.accept() out of system resource") == tuple(
        found[0][name] for name in ("level", "logger", "event")
    )
    assert found[0]["error"].startswith("OSError: [Errno 24] Too many open files")
    assert "test_log_stream.py:" in found[0]["error"]
    assert "s3cret" not in str(found)


def test_a_defect_in_a_listener_is_told_once_and_counted() -> None:
    """To those who watch, also where one of them is the one that fails; the others hear everything."""
    heard: list[Event] = []
    metrics = Metrics(WorkerStatus(Clock(), "", ""))

    class Broken:
        def __call__(self, event: Event) -> None:
            raise KeyError(type(event).__name__)

    tell = fan_out([Broken(), metrics, FloodLog(lambda: 0.0), heard.append])
    with lines() as found:
        for _ in range(9):
            tell(REJOINING)

    assert [REJOINING] * 9 == heard
    assert 9 == metrics.registry.get_sample_value("mplus_connector_listener_errors_total", {"listener": "Broken"})
    told = [line for line in found if line["event"] == "a listener fails"]
    assert (LINES_MAX, "error", "Broken") == (len(told), told[0]["level"], told[0]["listener"])
    assert "KeyError: 'Rejoining'" in told[0]["reason"]


def test_metrics_that_fail_are_in_the_log() -> None:
    """Who counts cannot count itself."""
    metrics = Metrics(WorkerStatus(Clock(), "", ""))
    metrics._series._made.clear()
    metrics._series._moved[CallMade] = [(SERIES["call"], None)]
    with lines() as found:
        fan_out([metrics, FloodLog(lambda: 0.0)])(CallMade("shop", "getOrders", 1.0, ""))

    assert [("a listener fails", "Metrics")] == [(line["event"], line["listener"]) for line in found]


def test_every_listener_of_a_worker_has_its_counter() -> None:
    """So that an increase to the first failure is seen."""
    from connector.ops.series import LISTENERS
    from connector.ops.waiting import WaitingLog

    board = WorkerStatus(Clock(), "", "")
    used = [board, Metrics(board), FloodLog(lambda: 0.0), WaitingLog(lambda: 0.0)]

    assert [type(listener).__name__ for listener in used] == list(LISTENERS)


async def test_a_worker_works_whatever_becomes_of_its_log(bootstrap: str, prefix: str) -> None:
    """On a full disk, and with a reader that sleeps: it reads on when the POS fails, counts the lines, and ends well."""
    asleep, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    no_room = os.open("/dev/full", os.O_WRONLY)
    try:
        codes = await asyncio.gather(*(_at_work(bootstrap, f"{prefix}-{log}", log) for log in (no_room, writer)))
    finally:
        for descriptor in (asleep, writer, no_room):
            os.close(descriptor)

    assert [0, 0] == codes


async def _at_work(bootstrap: str, prefix: str, descriptor: int) -> int:
    """A worker whose standard error is this; how it ended when it was asked to, after it had read what came meanwhile."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        port = free_port()
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order") | {"CONNECTOR_HTTP_PORT": str(port)}
        command = (sys.executable, "-m", "connector", "run", "--roles", "source")
        process = await asyncio.create_subprocess_exec(*command, env=env, stderr=descriptor)
        worker = Running(process, port)
        try:
            await eventually_serves(worker)
            await worker.until("/status", words=f'"position": {pos.shop.heads()["order"]}, "backlog": 0')
            pos.faults.switch("server_fault", count=3)
            pos.shop.change("order", 2)
            await worker.until("/status", words=f'"position": {pos.shop.heads()["order"]}, "backlog": 0')
            metrics = (await worker.get("/metrics")).text
            assert not re.search(r"^mplus_connector_log_lines_lost_total 0.0$", metrics, re.MULTILINE)
            process.terminate()
            async with asyncio.timeout(20):
                return await process.wait()
        finally:
            await killed(process)


async def eventually_serves(worker: Running) -> None:
    """Wait until it answers."""
    async with asyncio.timeout(40):
        while True:
            with contextlib.suppress(AssertionError):
                await worker.get("/health/live")
                return
            assert worker.process.returncode is None
            await asyncio.sleep(0.05)

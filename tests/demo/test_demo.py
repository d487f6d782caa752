"""`make demo` as a newcomer meets it: what it prints, how it ends, and that it leaves nothing behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(bootstrap: str) -> Iterator[Start]:
    """Starts the demo on the session's Kafka, in a process group of its own as a terminal would; all ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def demo(**environment: str) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "connector.demo"]
        settings = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "COLUMNS": "200", **environment}
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(argv, env=settings, stdout=pipe, stderr=pipe, text=True, start_new_session=True))
        return started[-1]

    yield demo
    for process in started:
        with process:
            process.kill()


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """What it prints, up to a line with this text."""
    assert process.stdout
    lines: list[str] = []
    while text not in (lines or [""])[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], f"it ended without {text!r}: {''.join(lines)}"
    return "".join(lines)


def children(process: "subprocess.Popen[str]") -> list[str]:
    """The processes that it started, by id."""
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def lives(pid: str) -> bool:
    """Whether it runs: a zombie does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(") ")[2][0] != "Z"


def test_it_ends_by_itself_and_nothing_is_lost(start: Start) -> None:
    """After DEMO_SECONDS both sides agree: every event once, every command with its result and done once; exit 0."""
    process = start(DEMO_SECONDS="12")
    out, err = process.communicate(timeout=150)

    assert (0, "") == (process.returncode, err), out
    assert "events, nothing lost, nothing twice" in out
    (journeys,) = re.findall(r"commands: each has its result, each was done once\. (\d+) journeys agree\.", out)
    assert 0 < int(journeys)


@pytest.fixture
def usual_port() -> Iterator[None]:
    """The dashboard's usual port is taken, by this test or by another program."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8081)))
        yield


@pytest.mark.usefixtures("usual_port")
def test_the_dashboard_is_where_it_says(start: Start) -> None:
    """Also where its usual port is taken: then at another one."""
    process = start()
    (address,) = re.findall(r"http://127\.0\.0\.1:\d+/$", read_until(process, "dashboard").strip())

    with urllib.request.urlopen(address, timeout=60) as page:
        assert "text/html" == page.headers.get_content_type()


def test_ctrl_c_compares_before_it_ends(start: Start) -> None:
    """Ctrl-C reaches every process of a terminal, and yet what is under way arrives and is compared; exit 0."""
    process = start()
    shown = read_until(process, "entities at their head")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=150)

    assert (0, "") == (process.returncode, err), shown + out
    assert "events, nothing lost, nothing twice" in out


def test_what_does_not_start_says_why_in_a_line(start: Start) -> None:
    """A setting that the connector refuses is named, and nothing keeps running."""
    process = start(CONNECTOR_PAGE_SIZE="0")
    out, err = process.communicate(timeout=150)

    assert (1, "") == (process.returncode, err)
    assert out.splitlines()[-1].startswith("error: `run` did not start: error: CONNECTOR_PAGE_SIZE: ")


def test_a_part_that_dies_is_named(start: Start) -> None:
    """The demo does not go on as if nothing had happened."""
    process = start()
    read_until(process, "entities at their head")
    os.killpg(int(children(process)[0]), signal.SIGKILL)
    out, err = process.communicate(timeout=150)

    assert (1, "") == (process.returncode, err)
    assert "ended by itself (exit code -9)" in out.splitlines()[-1]


def test_nothing_outlives_a_killed_demo(start: Start) -> None:
    """SIGKILL for the demo ends the connector too."""
    process = start()
    read_until(process, "entities at their head")
    pids = children(process)
    process.kill()
    deadline = time.monotonic() + 10
    while any(lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert pids
    assert [] == [pid for pid in pids if lives(pid)]


@pytest.mark.parametrize("seconds", ["soon", "-1", ""])
def test_seconds_that_are_none_are_refused(seconds: str) -> None:
    """DEMO_SECONDS is a whole number; exit 2 before anything starts."""
    settings = {**os.environ, "DEMO_SECONDS": seconds, "COLUMNS": "200"}
    process = subprocess.run([sys.executable, "-m", "connector.demo"], env=settings, capture_output=True, text=True, check=False)

    assert (2, "error: DEMO_SECONDS must be a whole number of seconds\n") == (process.returncode, process.stdout)

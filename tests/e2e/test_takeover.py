"""Work that passes from one connector to another: after kill -9, after a freeze, after SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.e2e.published import aborted, examine
from tests.support.connectors import REPOSITORY, Connector, Fleet, fleet, settings, until
from tests.support.crashing import STRUCK, Crash

WORK_PARTITIONS = 8
SETTLE = 60.0
"""Seconds to read what is left, on a busy machine."""


@pytest.fixture
async def pos() -> AsyncIterator[Sandbox]:
    """A shop in which something happens all the time."""
    async with Sandbox(SandboxOptions(items=40, activity=40)) as sandbox:
        yield sandbox


async def both_own(one: Connector, other: Connector) -> bool:
    """Whether the two share all work partitions, none of them twice."""
    mine, theirs = await one.partitions(), await other.partitions()
    return bool(mine) and bool(theirs) and not mine & theirs and len(mine | theirs) == WORK_PARTITIONS


async def started_pair(connectors: Fleet, crash: Crash | None = None) -> tuple[Connector, Connector]:
    """Two connectors that share the work; the first is the victim, if there is one."""
    first, second = connectors.start(crash), connectors.start()
    await until(lambda: both_own(first, second), 60, "two connectors share the work")
    return first, second


async def assert_exactly_once(bootstrap: str, prefix: str, pos: Sandbox, connectors: Fleet) -> None:
    """The shop comes to rest; then every change is there once."""
    pos.activity.rate = 0
    await connectors.finish(pos.shop.heads(), SETTLE)
    findings = await examine(bootstrap, prefix, pos.shop)
    assert [] == findings.problems
    print(f"{findings.events} events")


def owners(environment: dict[str, str]) -> set[str]:
    """Who owns the entities, as `mplus-connector status` tells."""
    run = [sys.executable, "-m", "connector", "status", "--json"]
    answer = subprocess.run(run, env={**os.environ, **environment}, cwd=REPOSITORY, capture_output=True, check=True, timeout=60)
    return {json.loads(line).get("owner", "") for line in answer.stdout.splitlines()}


async def test_after_kill_9_the_other_has_all_the_work(bootstrap: str, prefix: str, pos: Sandbox, tmp_path: Path) -> None:
    """With the default session timeout all work partitions are taken over within 15 s, and what changed meanwhile comes once."""
    environment = settings(pos, bootstrap, prefix)
    async with fleet(tmp_path, environment) as connectors:
        victim, heir = await started_pair(connectors)
        both = {f"{os.uname().nodename}:{connector.pid}" for connector in (victim, heir)}
        await until(lambda: both == owners(environment), 30, "status shows both owners")

        await victim.kill()
        killed = time.monotonic()
        await until(lambda: heir.owns(WORK_PARTITIONS), 15, "the other has all work partitions")
        print(f"all work partitions taken over {time.monotonic() - killed:.1f} s after kill -9")

        await victim.vanished()
        await assert_exactly_once(bootstrap, prefix, pos, connectors)


async def test_a_frozen_owner_cannot_commit(bootstrap: str, prefix: str, pos: Sandbox, tmp_path: Path) -> None:
    """Frozen in an open transaction and thawed after the take-over, it writes nothing more, lets go, joins again and works."""
    async with fleet(tmp_path, settings(pos, bootstrap, prefix, session_timeout=2)) as connectors:
        zombie, heir = await started_pair(connectors, Crash(at=400, calls=("send",), signal=signal.SIGSTOP))
        await until(lambda: STRUCK in zombie.log, 60, "the victim is frozen")
        await until(lambda: heir.owns(WORK_PARTITIONS), 15, "the other has all work partitions")
        said = len(zombie.log)

        zombie.signal(signal.SIGCONT)

        await until(lambda: both_own(zombie, heir), 30, "the two share the work again")
        assert "partition released" in zombie.log[said:]  # whoever notices first: its producer, its watch or its heartbeat
        await assert_exactly_once(bootstrap, prefix, pos, connectors)
        assert await aborted(bootstrap, prefix) > 0
        await connectors.stop()


async def test_frozen_again_and_again(bootstrap: str, prefix: str, pos: Sandbox, tmp_path: Path) -> None:
    """A worker that is frozen at any instant, for longer than its session, neither dies nor writes anything twice."""
    async with fleet(tmp_path, settings(pos, bootstrap, prefix, session_timeout=1)) as connectors:
        one, other = await started_pair(connectors)
        for frozen, awake in ((one, other), (other, one), (one, other)):
            frozen.signal(signal.SIGSTOP)
            await until(partial(awake.owns, WORK_PARTITIONS), 15, "the other has all work partitions")
            frozen.signal(signal.SIGCONT)
            await until(lambda: both_own(one, other), 30, "the two share the work again")
        await assert_exactly_once(bootstrap, prefix, pos, connectors)


async def test_sigterm_ends_it_in_order(bootstrap: str, prefix: str, pos: Sandbox, tmp_path: Path) -> None:
    """Under load it ends within a few seconds, exit code 0, its decoder with it; the other takes over without waiting."""
    async with fleet(tmp_path, settings(pos, bootstrap, prefix)) as connectors:
        leaver, heir = await started_pair(connectors)

        asked = time.monotonic()
        leaver.signal(signal.SIGTERM)
        assert 0 == await leaver.end(within=5)
        ended = time.monotonic() - asked
        await until(lambda: heir.owns(WORK_PARTITIONS), 8, "the other has all work partitions, sooner than a session ends")
        print(f"ended {ended:.1f} s after SIGTERM, taken over after {time.monotonic() - asked:.1f} s")

        await leaver.vanished()
        assert "Traceback" not in leaver.log
        await assert_exactly_once(bootstrap, prefix, pos, connectors)
        await connectors.stop()

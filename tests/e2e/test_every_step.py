"""A crash at each single call of the POS and of Kafka that a run makes, after it took effect.

Before the next call the world is the same, so `make soak` alone tries that too.
"""

import asyncio
import itertools
import os
import re
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connector.sandbox import Sandbox, SandboxOptions, Shop
from tests.e2e.forks import Zygote, zygote
from tests.e2e.published import examine
from tests.support.connectors import Connector, settings, until
from tests.support.crashing import COMPLETED, STRUCK, Crash

ENTITIES = ("articleGroup", "stock", "deliveryMethod")
FEW = {"page_size": 5, "partitions": 1, "work_partitions": 2, "command_partitions": 1}
SMALL = {**FEW, "session_timeout": 1, "poll_interval": 0.05}
ROLES = "source"
AT_ONCE = 8
"""Shops at the same time: mostly their connectors wait for the session of the one before to end."""
MOMENTS = ("before", "after") if "SOAK_SECONDS" in os.environ else ("after",)
METHODS = 4
"""Delivery methods that each shop has: as many changes of that list."""


@dataclass(slots=True)
class Tally:
    """What was tried."""

    struck: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    events: int = 0


def furnish(shop: Shop) -> None:
    """A page that ends within a marker, a marker with more items than a page holds, and deletions."""
    shop.touch_together("articleGroup", [str(number) for number in (1, 2, 3, 4)])
    shop.touch_together("articleGroup", [str(number) for number in (5, 6, 7, 8, 9, 10, 11)])
    shop.delete("articleGroup", "12")
    shop.delete("articleGroup", "13")
    assert METHODS == len(shop.lists.rows["deliveryMethod"])


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_crash_at_every_call(bootstrap: str, tmp_path: Path, moment: str) -> None:
    """Whichever call it is, the next run finishes the work and nothing is lost or there twice."""
    started, tally, numbers, after = time.monotonic(), Tally(), itertools.count(1), moment == "after"
    async with AsyncExitStack() as stack:
        zygotes = [await stack.enter_async_context(zygote(tmp_path)) for _ in range(AT_ONCE)]
        async with asyncio.TaskGroup() as group:
            for one in zygotes:
                group.create_task(_try_all(one, bootstrap, numbers, after, tally))
    seconds = time.monotonic() - started
    print(f"{len(tally.struck)} crashes {moment} a call, {tally.events} events, {seconds:.0f} s")
    print(f"each kind of call: {_kinds(tally.struck)}; {tally.completed[0]}")
    assert len(tally.struck) > 40


def _kinds(struck: list[str]) -> dict[str, int]:
    kinds = sorted(line.rpartition(", ")[2] for line in struck)
    return {kind: len(list(group)) for kind, group in itertools.groupby(kinds)}


async def _try_all(one: Zygote, bootstrap: str, numbers: Iterator[int], after: bool, tally: Tally) -> None:
    """One shop after the other, until a run gets through without reaching its call."""
    while not tally.completed:
        at, name = next(numbers), f"t-{uuid.uuid4().hex[:12]}"
        async with Sandbox(SandboxOptions(items=13)) as pos:
            furnish(pos.shop)
            heads = {name: pos.shop.heads().get(name, METHODS) for name in ENTITIES}
            environment = settings(pos, bootstrap, name, entities=",".join(ENTITIES), **SMALL)
            async with one.connector(environment, Crash(at, after=after, heads=heads), ROLES) as victim:
                await _crash(victim, tally)
            async with one.connector(environment, roles=ROLES) as successor:
                await _finish(successor, heads)
            findings = await examine(bootstrap, name, pos.shop, ENTITIES)
            assert [] == findings.problems, f"crash at call {at}: {findings.problems}"
            tally.events += findings.events


async def _crash(victim: Connector, tally: Tally) -> None:
    """It ends by its own hand, and its decoder follows."""
    assert -signal.SIGKILL == await victim.end(), victim.last_words()
    await victim.vanished()
    found = re.search(f"^({STRUCK}|{COMPLETED}).*$", victim.log, re.MULTILINE)
    assert found, victim.last_words()
    (tally.struck if found[1] == STRUCK else tally.completed).append(found[0])


async def _finish(successor: Connector, heads: dict[str, int]) -> None:
    """It does what is left to do, and stops when it is told to."""

    async def at_head() -> bool:
        rows = (await successor.status()).get("entities", ())
        reached = {row["entity"]: row["position"] for row in rows}
        return all(reached.get(entity, -1) >= head for entity, head in heads.items())

    await until(at_head, 60, lambda: f"positions at {heads}: {successor.last_words()}")
    successor.signal(signal.SIGTERM)
    assert 0 == await successor.end(), successor.last_words()
    await successor.vanished()

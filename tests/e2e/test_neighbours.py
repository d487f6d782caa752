"""No POS stops its neighbours: one misbehaves in every way there is, and what changes in the others is there in time.

`SOAK_SECONDS` makes each way last longer, `SOAK_SEED` varies their order.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.neighbours import (
    ALONE,
    BOUND_S,
    CHANGED,
    READ,
    Neighbourhood,
    alongside,
    neighbourhood,
    start,
    topic_of,
    twice,
    unnamed,
    watched,
)
from tests.e2e.published import events, examine, marker
from tests.support.connectors import until
from tests.support.kafka.reading import read_topics
from tests.support.pos.bad_modes import MODES
from tests.support.pos.bad_pos import Mode
from tests.support.source.polling import events_of

SOAK_S = float(os.environ.get("SOAK_SECONDS", "0"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
NAME_HANGS = "a name that hangs in DNS"
EACH_S = 0.25
LASTING = {"hangs on pages", "a byte a second", NAME_HANGS}
LASTING_S = BOUND_S + 0.4
"""How long the ways last in which others would be held up for as long as they last."""

STRIKES_S = 1.5
"""Seconds that a way may take until it shows: the bad one may just be waiting before its next attempt."""

SETTLE_S = 60.0
CONTROL = "all are well"


def ways() -> list[str]:
    """All ways to misbehave, in an order of the seed; those that last a minute longer only in a soak."""
    names = [name for name, mode in MODES.items() if SOAK_S or not mode.slow]
    names.append(NAME_HANGS)
    random.Random(SEED).shuffle(names)
    return names


async def test_whatever_one_pos_does_its_neighbours_are_on_time(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Each change of the good ones is a record within two looks and 2 s; in the end the bad one lacks nothing, nothing twice."""
    async with neighbourhood(bootstrap, prefix, tmp_path, seed=SEED) as hood:
        worker, alone = start(hood, tmp_path), start(hood, tmp_path, ALONE)
        for name, box in {**hood.boxes, hood.alone_name: hood.alone}.items():
            await hood.caught_up(name, box.pos.shop, SETTLE_S)
        hood.bad.pos.activity.rate = 12
        async with watched(bootstrap, hood):
            async with alongside(hood.change):
                for name in ways():
                    await misbehave(hood, name)
                hood.play(CONTROL, Mode())
            hood.bad.pos.activity.rate = 0
            behind = await settled(hood)
        print(table(hood))
        assert worker.alive, worker.last_words()
        assert alone.alive, alone.last_words()
        struck = [name for name in ways() if hood.bad.struck[name]]
        assert len(struck) > 0.8 * len(ways()), f"too few to judge by: {struck}"
        problems = [
            *on_time(hood),
            *behind,
            *await wrong_with_the_bad(bootstrap, hood),
            *await wrong_with_the_good(bootstrap, hood),
        ]
        assert [] == problems, "\n".join(problems[:40])


async def misbehave(hood: Neighbourhood, name: str) -> None:
    """In this way, for long enough that it shows, while there is much to read."""
    hood.play(name, MODES.get(name))
    hood.bad.pos.shop.change("relation", 120)
    hood.bad.pos.shop.change("deliveryMethod")
    with contextlib.suppress(AssertionError):  # one that was stopped by what came before is judged in the end
        await until(lambda: hood.bad.struck[name] > 0 or name == NAME_HANGS, STRIKES_S, name)
    await asyncio.sleep(max(LASTING_S if name in LASTING else EACH_S, SOAK_S / len(MODES)))


async def settled(hood: Neighbourhood) -> list[str]:
    """Wait until all is read; what is not within its time."""
    problems = []
    for name, box in hood.boxes.items():
        try:
            print(f"{name} caught up after {await hood.caught_up(name, box.pos.shop, SETTLE_S):.1f} s")
        except AssertionError as error:
            problems.append(str(error))
    await hood.arrived(BOUND_S)
    assert max(hood.worst(alone=True).values()) < float("inf"), "without neighbours nothing comes either"
    return problems


def on_time(hood: Neighbourhood) -> list[str]:
    """The changes that were held up: longer than promised, beyond what this machine took for a worker without neighbours."""
    return [
        f"while its neighbour had '{change.during}', {change.entity} {change.identity} took {took:.1f} s"
        for change, took in hood.late(BOUND_S)
    ]


def table(hood: Neighbourhood) -> str:
    """For people: each way, how often it struck, and the longest that any change took beside it, and without neighbours."""
    worst, alone, struck = hood.worst(), hood.worst(alone=True), hood.bad.struck
    rows = [f"{took:7.2f} s, alone {alone.get(name, 0):.2f} s {struck[name]:5} x  {name}" for name, took in worst.items()]
    return "\n".join([*rows, f"{len(hood.changes)} changes; promised: {BOUND_S} s"])


async def wrong_with_the_bad(bootstrap: str, hood: Neighbourhood) -> list[str]:
    """What still is after a while: what was passed over is looked for again, a little at a time."""
    problems = [""]
    with contextlib.suppress(AssertionError):

        async def nothing() -> bool:
            problems[:] = await missing_or_twice(bootstrap, hood)
            return not problems

        print(f"nothing is missing after {await until(nothing, SETTLE_S, 'nothing is missing', every=1):.1f} s more")
    return problems


async def missing_or_twice(bootstrap: str, hood: Neighbourhood) -> list[str]:
    """Every final state is there, or a dead letter names what could not be read; nothing is there twice."""
    topics = [topic_of(hood.bad_name, entity) for entity in CHANGED]
    letters, *found = (await read_topics(bootstrap, [f"{hood.bad_name}.dead-letters", *topics])).values()
    problems, truth = [], hood.bad.pos.truth()
    for entity, records in zip(CHANGED, found, strict=True):
        last = {str(marker(record)) if entity == "stock" else record.key.decode(): marker(record) for record in events(records)}
        missing = [identity for identity, at in truth[entity].items() if last.get(identity) != at]
        gone = unnamed(missing, letters)
        problems += [f"{entity} {name} at {truth[entity][name]} is nowhere (last: {last.get(name)})" for name in gone]
        problems += [f"{name} is there more than once" for name in twice(records)]
    return problems


async def wrong_with_the_good(bootstrap: str, hood: Neighbourhood) -> list[str]:
    """Nothing at all is."""
    found = [await examine(bootstrap, name, box.pos.shop, READ) for name, box in hood.good.items()]
    return [problem for findings in found for problem in findings.problems]


LOGS = ("full disk", "reader gone", "reader asleep")


@pytest.mark.parametrize("how", LOGS)
async def test_a_log_that_cannot_be_written_stops_nobody(bootstrap: str, prefix: str, tmp_path: Path, how: str) -> None:
    """On a full disk, or into a pipe whose reader is gone or reads no more, the worker reads on: only the lines are lost."""
    async with neighbourhood(bootstrap, prefix, tmp_path) as hood, log_for(how) as log:
        worker = start(hood, tmp_path, log=log)
        await published(bootstrap, hood, {})
        hood.play("hangs", MODES["HTTP 500"])  # something to tell
        hood.bad.pos.shop.change("relation")
        await until(lambda: hood.bad.struck["hangs"] > 20, SETTLE_S, "the POS fails often")
        hood.play(CONTROL, Mode())
        changed = {name: box.pos.shop.change("relation")[0] for name, box in hood.boxes.items()}
        await published(bootstrap, hood, changed)
        assert worker.alive


async def published(bootstrap: str, hood: Neighbourhood, changed: Mapping[str, str]) -> None:
    """Wait until every relation of all is there as it is now."""
    for name, box in hood.boxes.items():
        wanted = box.pos.truth()["relation"]
        assert not changed or wanted[changed[name]]
        deadline = time.monotonic() + SETTLE_S
        found: dict[str, int] = {}
        while found != wanted:
            assert time.monotonic() < deadline, (
                f"{name}: {len(wanted.items() - found.items())} of {len(wanted)} relations are not there"
            )
            await asyncio.sleep(0.2)
            with contextlib.suppress(LookupError):  # no topic yet
                found = {key: at for key, at in await events_of(bootstrap, topic_of(name, "relation")) if at == wanted.get(key)}


@contextlib.asynccontextmanager
async def log_for(how: str) -> AsyncIterator[int]:
    """Where a log cannot be written, or only its first lines can."""
    if how == "full disk":
        reading, writing = -1, os.open("/dev/full", os.O_WRONLY)
    else:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    if how == "reader gone":
        os.close(reading)
        reading = -1
    try:
        yield writing
    finally:
        for end in (reading, writing):
            if end >= 0:
                os.close(end)

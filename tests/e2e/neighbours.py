"""Three administrations on one worker, a fourth on a worker of its own, and how long their changes took to their records.

The fourth has no neighbours: what its changes take meanwhile is what the machine takes, whoever else uses it.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.shop.shop import shown
from connector.source.entities import named
from tests.e2e.names import BACKOFF, HANGING
from tests.e2e.published import header, marker
from tests.support.connectors import REPOSITORY, Connector, Fleet, until
from tests.support.pos.bad_modes import CLOSING
from tests.support.pos.bad_pos import BadPos, Certificate, Mode, certificate

READ = ("relation", "order", "stock", "article", "deliveryMethod")
CHANGED = ("relation", "order", "stock", "article")
THREE, ALONE = "three.toml", "alone.toml"
"""The configurations of the two workers."""

POLL_S = 0.3
BOUND_S = 2 * POLL_S + 2
"""The promise: what changes in a POS is a record not later than two looks and two seconds after, whatever its neighbours do."""

BYTES_IN_FLIGHT = 1 << 20
"""As little as there may be: one page of the bad one would take it all, if nothing were shared."""

CHANGE_S = 0.2
"""Seconds between two changes of a shop: fewer transactions than a busy machine can make, or it is they that are waited for."""

BACKOFF_S = 0.25
TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed in a shop, when (seconds of the monotonic clock), and what its neighbour did at that time."""

    administration: str
    entity: str
    identity: str
    marker: int
    at: float
    during: str


@dataclass(slots=True)
class Arrivals:
    """When the records of some topics came, as a consumer of committed ones sees them."""

    _found: dict[tuple[str, str], list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def came(self, topic: str, record: Any) -> None:
        identity = str(marker(record)) if topic.endswith(".stock") else record.key.decode()
        self._found[topic, identity].append((marker(record), time.monotonic()))

    def of(self, change: Change) -> float | None:
        """When the change was there: with its marker, or overtaken by a later one of its item."""
        found = self._found[topic_of(change.administration, change.entity), change.identity]
        place = bisect_left(found, (change.marker, 0.0))
        return found[place][1] if place < len(found) else None

    def took(self, change: Change) -> float:
        """Seconds until then; infinite if it never came."""
        there = self.of(change)
        return float("inf") if there is None else there - change.at


def topic_of(administration: str, entity: str) -> str:
    """The topic of an entity."""
    return f"{administration}.{named([entity])[0].topic}"


@dataclass(slots=True)
class Neighbourhood:
    """One bad POS, two good ones behind boxes that never misbehave, one alone, and what came of their changes."""

    bad: BadPos
    good: Mapping[str, BadPos]
    alone: BadPos
    bad_name: str
    alone_name: str
    connectors: Fleet
    hanging: Path
    arrivals: Arrivals = field(default_factory=Arrivals)
    changes: list[Change] = field(default_factory=list)
    during: str = ""

    @property
    def boxes(self) -> dict[str, BadPos]:
        """All administrations."""
        return {self.bad_name: self.bad, **self.good}

    async def change(self) -> None:
        """Change the good shops and the lonely one again and again, until cancelled; remember when."""
        turn = 0
        while True:
            entity = CHANGED[turn % len(CHANGED)]
            for name, box in {**self.good, self.alone_name: self.alone}.items():
                (identity,) = box.pos.shop.change(entity)
                at, item = time.monotonic(), box.pos.shop.sequences[entity].by_identity[identity]
                if shown(item):
                    self.changes.append(Change(name, entity, identity, item.marker, at, self.during))
            turn += 1
            await asyncio.sleep(CHANGE_S)

    async def arrived(self, within: float) -> None:
        """Wait until all that was changed by now is there, or so long."""
        changes = list(self.changes)
        with contextlib.suppress(AssertionError):
            await until(lambda: all(self.arrivals.of(change) for change in changes), within, "the changes are there")

    def late(self, bound: float) -> list[tuple[Change, float]]:
        """Changes of the good ones that took longer than this beyond what the lonely one took at that time, and how long."""
        alone = [(each.at, self.arrivals.took(each)) for each in self.changes if each.administration == self.alone_name]

        def machine(begin: float, end: float) -> float:
            return max((took for at, took in alone if at <= end and at + took >= begin), default=0.0)

        good = [(each, self.arrivals.took(each)) for each in self.changes if each.administration != self.alone_name]
        return [(each, took) for each, took in good if took > bound + machine(each.at, each.at + took)]

    def worst(self, *, alone: bool = False) -> dict[str, float]:
        """What the bad one did → the longest that a change of the good ones, or of the lonely one, took meanwhile, in seconds."""
        found: dict[str, float] = {}
        for change in self.changes:
            if alone is (change.administration == self.alone_name):
                found[change.during] = max(found.get(change.during, 0.0), self.arrivals.took(change))
        return found

    async def position(self, administration: str) -> dict[str, int]:
        """Entity → position, as the worker shows it."""
        rows = [row for one in self.connectors.all if one.alive for row in (await one.status()).get("entities", ())]
        return {row["entity"]: row["position"] or 0 for row in rows if row["administration"] == administration}

    async def caught_up(self, administration: str, shop: Any, within: float) -> float:
        """Wait until everything that the shop shows is committed; the seconds that took."""
        heads = {entity: head for entity, head in shop.heads().items() if entity in READ}
        seen: dict[str, int] = {}

        async def there() -> bool:
            seen.update(await self.position(administration))
            return all(seen.get(entity, -1) >= head for entity, head in heads.items())

        return await until(there, within, lambda: f"positions of {administration} {seen} at the heads {heads}")

    def hang_names(self, names: Iterable[str]) -> None:
        """Let these names hang in DNS from now on; no name: none."""
        self.hanging.write_text(" ".join(names))

    def play(self, name: str, mode: Mode | None) -> None:
        """The bad one misbehaves so; without a mode its name hangs, and the good ones, which keep no connections, need theirs."""
        self.during = name
        self.hang_names([host(self.bad_name)] if mode is None else [])
        self.bad.play(name, mode or Mode())
        for box in self.good.values():
            box.turn("", CLOSING if mode is None else Mode())


def host(administration: str) -> str:
    """The name of an administration's POS."""
    return f"{administration}.pos.test"


@asynccontextmanager
async def neighbourhood(bootstrap: str, prefix: str, directory: Path, *, seed: int = 1) -> AsyncIterator[Neighbourhood]:
    """All of them; nobody has started yet."""
    bad_name, *good_names, alone_name = (f"{prefix}-{name}" for name in ("ziek", "noord", "zuid", "alleen"))
    identity = certificate(directory, host(bad_name))
    hanging = directory / "hanging"
    hanging.write_text("")
    async with AsyncExitStack() as stack:
        shops = [await stack.enter_async_context(Sandbox(SandboxOptions(seed=seed + n, items=30))) for n in range(4)]
        bad = await stack.enter_async_context(BadPos(shops[0], identity, name=host(bad_name)))
        *good, alone = [
            await stack.enter_async_context(BadPos(shop, name=host(name)))
            for name, shop in zip([*good_names, alone_name], shops[1:], strict=True)
        ]
        boxes = dict(zip(good_names, good, strict=True))
        written = configured(bootstrap, prefix, {bad_name: bad, **boxes}, identity)
        (directory / THREE).write_text("".join(written))
        (directory / ALONE).write_text("".join(configured(bootstrap, f"{prefix}-alleen", {alone_name: alone}, identity)))
        async with connectors(directory, {}) as fleet:
            yield Neighbourhood(bad, boxes, alone, bad_name, alone_name, fleet, hanging)


@asynccontextmanager
async def connectors(directory: Path, environment: Mapping[str, str]) -> AsyncIterator[Fleet]:
    """None yet; none is left in the end."""
    fleet = Fleet(directory, environment)
    try:
        yield fleet
    finally:
        for connector in fleet.all:
            connector.destroy()
        await asyncio.gather(*(connector.end() for connector in fleet.all))


def configured(bootstrap: str, group: str, boxes: Mapping[str, BadPos], identity: Certificate) -> Iterator[str]:
    """The lines of the file."""
    yield f'[kafka]\nbootstrap_servers = "{bootstrap}"\n'
    yield f'[connector]\ngroup = "{group}"\nentities = "{",".join(READ)}"\npoll_interval = {POLL_S}\nlists_interval = 1\n'
    yield f"requests_per_second = 200\nbytes_in_flight = {BYTES_IN_FLIGHT}\n"
    yield 'work_partitions = 6\npartitions = 2\ncommand_partitions = 1\nhttp_port = 0\nlog_level = "debug"\n'
    for name, box in boxes.items():
        yield f'[[administrations]]\nname = "{name}"\nurl = "{box.url}"\nident = "{box.ident}"\nsecret = "{box.secret}"\n'
        yield f'cafile = "{identity.chain}"\nconnect_timeout = 1\ntimeout = {TIMEOUT_S}\n'


def start(hood: Neighbourhood, directory: Path, configuration: str = THREE, log: int | None = None) -> Connector:
    """A worker; `log`: where its log goes instead of a file."""
    kept = directory / f"connector-{len(hood.connectors.all)}.log"
    with kept.open("wb") as out:
        program = [
            sys.executable,
            "-m",
            "tests.e2e.names",
            "run",
            "--roles",
            "source",
            "--config",
            str(directory / configuration),
        ]
        environment = {**os.environ, HANGING: str(hood.hanging), BACKOFF: str(BACKOFF_S)}
        where = out if log is None else log
        process = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=where, stderr=where, env=environment, cwd=REPOSITORY, start_new_session=True
        )
    return hood.connectors.add(Connector(process.pid, kept, process.poll))


@asynccontextmanager
async def watched(bootstrap: str, hood: Neighbourhood) -> AsyncIterator[None]:
    """What comes on the topics of all but the bad one is noted, while inside; the topics are there."""
    topics = [topic_of(name, entity) for name in (*hood.good, hood.alone_name) for entity in CHANGED]
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        metadata_max_age_ms=1000,
    )

    async def watch() -> None:
        async for record in consumer:
            if record.value is not None:
                hood.arrivals.came(record.topic, record)

    async with running(consumer.start, consumer.stop), alongside(watch):
        yield


@asynccontextmanager
async def running(begin: Callable[[], Any], end: Callable[[], Any]) -> AsyncIterator[None]:
    """Begin before and end after."""
    try:
        await begin()
        yield
    finally:
        await end()


@asynccontextmanager
async def alongside(work: Callable[[], Any]) -> AsyncIterator[None]:
    """This goes on while inside; its error comes out at the end."""
    task = asyncio.create_task(work())
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def unnamed(missing: Iterable[str], letters: Sequence[Any]) -> list[str]:
    """Identities that no dead letter names, in its bytes or its reason."""
    said = [(letter.value or b"") + b" ".join(value or b"" for _, value in letter.headers) for letter in letters]
    return [identity for identity in missing if not any(identity.encode() in each for each in said)]


def twice(records: Iterable[Any]) -> list[str]:
    """Every ce_id that is there more than once."""
    seen: dict[str, int] = defaultdict(int)
    for record in records:
        if record.value is not None:
            seen[header(record, "ce_id")] += 1
    return [name for name, count in seen.items() if count > 1]

"""kill -9 under load while a tenth of all changes becomes visible late: nothing is lost or there twice.

`SOAK_SECONDS` repeats rounds for that long, `SOAK_SEED` varies them.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from aiokafka import ConsumerRecord

from connector.sandbox import Sandbox, SandboxOptions, Shop
from connector.source.entities import ENTITIES, Entity
from tests.e2e.published import deletions, events, final, header, marker, tombstones
from tests.support.chaos import Chaos
from tests.support.connectors import Fleet, fleet, settings, until
from tests.support.kafka.reading import read_topics

READ = [entity for entity in ENTITIES if not entity.listed]
CHANGES_PER_SECOND = 60
SHARE, LATE_S = 0.1, 3.0
WINDOW_S = 60
"""Longer than a change is late and a take-over lasts."""

SMALL = {"page_size": 20, "session_timeout": 2, "late_markers": 2000, "late_window": WINDOW_S}
SETTLE_S = 60.0


async def test_kill_9_while_changes_are_late(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Every final state is there, no ce_id twice, an item's states in their order; what came late says so."""
    seed, deadline = int(os.environ.get("SOAK_SEED", "1")), time.monotonic() + float(os.environ.get("SOAK_SECONDS", "0"))
    await one_round(bootstrap, prefix, tmp_path, seed)
    while time.monotonic() < deadline:
        seed += 1
        (tmp_path / str(seed)).mkdir()
        await one_round(bootstrap, f"{prefix}-{seed}", tmp_path / str(seed), seed)


async def one_round(bootstrap: str, name: str, directory: Path, seed: int) -> None:
    """Chaos, then peace, then the comparison."""
    luck = random.Random(seed)
    options = SandboxOptions(seed=seed, items=40, activity=CHANGES_PER_SECOND, late=SHARE, late_seconds=LATE_S)
    async with Sandbox(options) as pos, fleet(directory, settings(pos, bootstrap, name, **SMALL)) as connectors:
        chaos = Chaos(connectors, pos, luck)
        scenes: list[Callable[[], Awaitable[None]]] = [chaos.two, chaos.starting, chaos.inside, chaos.working]
        luck.shuffle(scenes)
        for scene in scenes:
            pos.shop.late.counted = luck.random() < 0.5
            await scene()
        pos.activity.rate = pos.shop.late.share = 0
        connectors.start()
        found = await settled(bootstrap, name, pos, connectors)
        problems = [f"{entity.name}: {each}" for entity in READ for each in wrong(pos.shop, entity, found[entity.name])]
        late = [record for records in found.values() for record in events(records) if header(record, "ce_origin") == "late"]
        print(f"seed {seed}: {chaos.tally}, {sum(map(len, found.values()))} records, {len(late)} of them late")
        assert [] == problems, f"seed {seed}: {problems[:20]}"
        assert late


async def settled(bootstrap: str, name: str, pos: Sandbox, connectors: Fleet) -> dict[str, list[ConsumerRecord]]:
    """Wait until all that the shop shows is read, and what it shows late too; the records of each entity."""
    await connectors.finish(pos.shop.heads(), SETTLE_S)
    pos.shop.reveal()
    await connectors.finish(pos.shop.heads(), SETTLE_S)
    found: dict[str, list[ConsumerRecord]] = {}

    async def complete() -> bool:
        read = await read_topics(bootstrap, [f"{name}.{entity.topic}" for entity in READ])
        found.update(zip([entity.name for entity in READ], read.values(), strict=True))
        truth = pos.truth()
        return not any(any(final(entity, found[entity.name], truth[entity.name])) for entity in READ)

    with suppress(AssertionError):  # the comparison tells what is not
        await until(complete, SETTLE_S, "everything that is late is there", every=0.5)
    return found


def wrong(shop: Shop, entity: Entity, records: Sequence[ConsumerRecord]) -> Iterator[str]:
    """What is lost, there twice, out of order without saying so, or deleted on one side only."""
    yield from final(entity, records, shop.truth()[entity.name])
    yield from deletions(shop, entity, records)
    counted = Counter(header(record, "ce_id") for record in events(records))
    yield from (f"{name} is there {count} times" for name, count in counted.items() if count > 1)
    for partition in {record.partition for record in records}:
        yield from disordered(entity, [record for record in records if record.partition == partition])


def disordered(entity: Entity, queue: Sequence[ConsumerRecord]) -> Iterator[str]:
    """Of one partition: an older state of an item after a newer one; a lower marker that does not say that it is late."""
    yield from tombstones(queue)
    highest, of_item = -1, dict[bytes, int]()
    for record in events(queue):
        at, origin = marker(record), header(record, "ce_origin")
        if origin not in ("poll", "late"):
            yield f"ce_origin {origin}"
        if entity.compacted and at < of_item.get(record.key, -1):  # rows of stock only share their key
            yield f"{record.key.decode()} at {at} comes after {of_item[record.key]}"
        if at < highest and origin != "late":
            yield f"marker {at} comes after {highest} and is no late one"
        of_item[record.key], highest = at, max(highest, at)

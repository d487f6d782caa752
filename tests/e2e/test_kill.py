"""kill -9 under load, of connectors and once of the broker, while the POS answers badly: nothing is lost or there twice.

`SOAK_SECONDS` repeats rounds for that long, `SOAK_SEED` varies them.
"""

import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from connector.local_kafka.start import Broker
from connector.sandbox import Sandbox, SandboxOptions
from tests.e2e.published import aborted, examine, hanging
from tests.support.chaos import SETTLE, Chaos
from tests.support.connectors import Fleet, fleet, settings, until

CHANGES_PER_SECOND = 100
ILLS = ("server_fault", "drop_before", "drop_after", "truncate", "truncate_framed", "garbage", "unavailable")
SMALL = {"page_size": 20, "session_timeout": 2, "lists_interval": 0.5}


async def test_kill_9_under_load(own_kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """Whenever connectors and the broker are killed, every change is in its topic once, in order."""
    seed, deadline = int(os.environ.get("SOAK_SEED", "1")), time.monotonic() + float(os.environ.get("SOAK_SECONDS", "0"))
    await one_round(own_kafka, prefix, tmp_path, seed)
    while time.monotonic() < deadline:
        seed += 1
        (tmp_path / str(seed)).mkdir()
        await one_round(own_kafka, f"{prefix}-{seed}", tmp_path / str(seed), seed)


async def one_round(broker: Broker, name: str, directory: Path, seed: int) -> None:
    """Chaos, then peace, then the comparison."""
    luck, started = random.Random(seed), time.monotonic()
    async with (
        Sandbox(SandboxOptions(seed=seed, items=60, activity=CHANGES_PER_SECOND)) as pos,
        fleet(directory, settings(pos, broker.bootstrap, name, **SMALL)) as connectors,
    ):
        sicken(pos, luck)
        chaos = Chaos(connectors, pos, luck)
        try:
            await play(chaos, pos, broker, luck)
            await settle(connectors, pos)
        except AssertionError as error:
            error.add_note(f"seed {seed}, {chaos.tally}; open transactions: {await hanging(broker.bootstrap, name)}")
            raise
        findings = await examine(broker.bootstrap, name, pos.shop)
        assert [] == findings.problems, f"seed {seed}: {findings.problems[:20]}"
        lost = await aborted(broker.bootstrap, name)
        await connectors.stop()
    print(
        f"seed {seed}: {chaos.tally}, {findings.events} events, {lost} records aborted, "
        f"{sum(pos.requests.counts.values())} calls of the POS, {time.monotonic() - started:.0f} s"
    )
    assert (chaos.tally.kills, chaos.tally.inside) >= (20, 5)
    assert lost >= chaos.tally.inside


def sicken(pos: Sandbox, luck: random.Random) -> None:
    """A few percent of all answers go wrong in every way there is."""
    for ill in ILLS:
        pos.faults.switch(ill, probability=luck.uniform(0.005, 0.02))
    pos.faults.switch("delay_seconds", probability=0.05, seconds=0.3)


async def play(chaos: Chaos, pos: Sandbox, broker: Broker, luck: random.Random) -> None:
    """All scenes in some order, and between them the slow lists change."""
    scenes: list[Callable[[], Awaitable[None]]] = [lambda: chaos.without_broker(broker), chaos.three, chaos.two, chaos.two]
    scenes += [chaos.inside] * 6 + [chaos.working] * 5 + [chaos.starting] * 2
    luck.shuffle(scenes)
    for number, scene in enumerate(scenes):
        await scene()
        pos.shop.change("deliveryMethod")
        pos.shop.change("orderCategory")
        if number == len(scenes) // 2:
            pos.shop.lists.rows["deliveryMethod"].popitem()


async def settle(connectors: Fleet, pos: Sandbox) -> None:
    """The shop comes to rest, the POS recovers, and a connector reads what is left; lists are looked at once more."""
    pos.faults.clear()
    pos.activity.rate = 0
    connectors.start()
    await connectors.finish(pos.shop.heads(), SETTLE)
    seen = pos.requests.counts.copy()
    looked = ("getDeliveryMethods", "getOrderCategories")
    await until(lambda: all(pos.requests.counts[name] > seen[name] + 1 for name in looked), 30, "the lists are read again")

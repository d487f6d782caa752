"""A middle box answers for the POS, which works on, forgets, cuts and leaves out, while workers are killed: all told is true.

`SOAK_SECONDS` repeats rounds for that long, `SOAK_SEED` varies them. What is true, is said in `chaos_truth.py`.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from aiokafka import AIOKafkaProducer

from connector.local_kafka.start import Broker
from tests.e2e.carried_out import unfinished
from tests.e2e.chaos_box import CHANGES, Odds
from tests.e2e.chaos_orders import PLANS, Plan
from tests.e2e.chaos_shops import OF_AN_OLD_SHOP, Shop, shop, takings
from tests.e2e.chaos_truth import REJECTED, SUCCEEDED, UNKNOWN, Story, judge
from tests.e2e.forks import Nursery, nursery
from tests.support.connectors import COMMANDS, until
from tests.support.crashing import SENDING

PARTITIONS = 4
SHARES, AT_LEAST = ((PLANS, 246), (OF_AN_OLD_SHOP, 77)), 2000
"""What is commanded in each shop, and of how many orders; and commands of both in all."""
PER_SECOND = 25.0
DEADLINE, PATIENCE, STILL_TO_LEAVE = 2.0, 3.0, 1.0
"""Seconds: the answer deadline; how long a worker waits for an answer; how long a dead worker's call may still leave."""
ODDS = Odds(  # patience: a busy machine may need the rest for a call's way to the box and back
    change=0.15, look=0.03, late=0.01, work_s=0.95 * DEADLINE, hold_s=PATIENCE + 0.5 * DEADLINE, patience_s=0.6 * PATIENCE
)
AT_ONCE, KILLS, LIVES = 2, 6, (4.0, 8.0)
"""Workers, how many are killed, and after how many seconds each."""
SETTLE = 300.0
SETTINGS = """
[kafka]
bootstrap_servers = "{bootstrap}"

[connector]
group = "{group}"
entities = ["articleGroup"]
command_partitions = {partitions}
session_timeout = 1.5
answer_deadline = {deadline}
requests_per_second = 1000
commands_in_flight = 64
http_port = 0
"""
ADMINISTRATION = """
[[administrations]]
name = "{name}"
url = "{url}"
ident = "{ident}"
secret = "{secret}"
timeout = {timeout}
"""


async def test_whatever_a_middle_box_answers_results_are_true(own_kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """Of 2,000 commands of all kinds every effect happens once, and nothing untrue is told of any."""
    seed, deadline = int(os.environ.get("SOAK_SEED", "1")), time.monotonic() + float(os.environ.get("SOAK_SECONDS", "0"))
    await one_round(own_kafka, prefix, tmp_path, seed)
    while time.monotonic() < deadline:
        seed += 1
        (tmp_path / str(seed)).mkdir()
        await one_round(own_kafka, f"{prefix}-{seed}", tmp_path / str(seed), seed)


async def one_round(broker: Broker, name: str, directory: Path, seed: int) -> None:
    """Chaos until every command has its result, then the judgement."""
    luck, started = random.Random(seed), time.monotonic()
    async with AsyncExitStack() as stack:
        shops = [
            await stack.enter_async_context(shop(f"{name}-new", name, ODDS, seed)),
            await stack.enter_async_context(shop(f"{name}-old", name, ODDS, seed + 1, old=True)),
        ]
        config = directory / "connector.toml"
        config.write_text(written(broker.bootstrap, name, shops))
        environment = {SENDING: str(STILL_TO_LEAVE)}
        workers = await stack.enter_async_context(nursery(directory, environment, "commands", AT_ONCE, config))
        await played(broker.bootstrap, shops, workers, luck)
        for one in shops:
            await one.box.settled()
        played_s = time.monotonic() - started
        taken = takings(worker.log for worker in workers.all)
        stories = {one.name: await one.stories(broker.bootstrap, taken, PARTITIONS) for one in shops}
    problems = [f"{shop}: {problem}" for shop, found in stories.items() for story in found.values() for problem in judge(story)]
    found = [story for each in stories.values() for story in each.values()]
    print(f"seed {seed}: {summary(found)}; {played_s:.0f} s of chaos, {time.monotonic() - started:.0f} s in all")
    assert [] == problems, f"seed {seed}: {len(problems)} problems, the first: {problems[:10]}"
    assert AT_LEAST <= sum(len(story.results) for story in found)
    assert 3 <= min(map(len, taken.values()))
    assert {SUCCEEDED, REJECTED, UNKNOWN} == {case.outcome for story in found for case in story.cases()}


async def played(bootstrap: str, shops: Sequence[Shop], workers: Nursery, luck: random.Random) -> None:
    """All commands are said and carried out, while workers die."""
    async with workers.connector() as first:
        for one in shops:
            await until(partial(first.owns, PARTITIONS, one.name + COMMANDS), 60, "the topics exist")
        await first.kill()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        async with asyncio.TaskGroup() as group:
            over, lives = asyncio.Event(), iter(range(KILLS))
            all_lived = [group.create_task(lived(workers, luck, lives, over)) for _ in range(AT_ONCE)]
            said = [group.create_task(opened(one, producer, share)) for one, share in zip(shops, SHARES, strict=True)]
            await settled(bootstrap, shops, said, workers)
            over.set()
            await asyncio.gather(*all_lived)
    finally:
        await producer.stop()


async def opened(one: Shop, producer: AIOKafkaProducer, share: tuple[Sequence[Plan], int]) -> None:
    """Customers come, to the smaller shop as long as to the other."""
    plans, orders = share
    await one.open(producer, plans, orders, PER_SECOND * orders / SHARES[0][1], PARTITIONS)


async def settled(bootstrap: str, shops: Sequence[Shop], said: Sequence["asyncio.Task[None]"], workers: Nursery) -> None:
    """Wait until all is carried out; then who still waits for an order to be there, waits in vain."""

    def last_words() -> str:
        return "\n".join(worker.last_words() for worker in workers.all[-AT_ONCE:])

    await until(lambda: all(one.all_came for one in shops), SETTLE, last_words)
    await until(lambda: idle(bootstrap, shops), SETTLE, last_words, every=0.5)
    for one in shops:
        one.over.set()
    await asyncio.gather(*said)
    await until(lambda: idle(bootstrap, shops), SETTLE, last_words, every=0.5)


async def lived(workers: Nursery, luck: random.Random, lives: Iterator[int], over: asyncio.Event) -> None:
    """One worker after the other is killed in the middle of its work, and another takes over; who is left stops when told to."""
    while True:
        async with workers.connector() as worker:
            if next(lives, None) is not None:
                await asyncio.sleep(luck.uniform(*LIVES))
                await worker.kill()
                continue
            await over.wait()
            worker.signal(signal.SIGTERM)
            assert 0 == await worker.end(), worker.last_words()
            return


async def idle(bootstrap: str, shops: Sequence[Shop]) -> bool:
    """Whether everything that was commanded is finished."""
    return not [left for one in shops for left in await unfinished(bootstrap, one.name, one.group)]


def written(bootstrap: str, name: str, shops: Sequence[Shop]) -> str:
    """The connector's configuration."""
    head = SETTINGS.format(bootstrap=bootstrap, group=name, partitions=PARTITIONS, deadline=DEADLINE)
    return head + "".join(
        ADMINISTRATION.format(name=one.name, url=one.box.url, ident=one.pos.ident, secret=one.pos.secret, timeout=PATIENCE)
        for one in shops
    )


def summary(stories: Sequence[Story]) -> str:
    """How much there was, of what kind, and what became of it."""
    cases = [case for story in stories for case in story.cases()]
    ends = Counter((case.wish.kind, case.outcome) for case in cases)
    passages = [row for story in stories for row in story.passages]
    answered = sum(bool(row.sent) for row in passages if row.operation in CHANGES)
    unknown: Mapping[str, int] = Counter(case.result["message"] for case in cases if case.outcome == "unknown")
    return (
        f"{len(cases)} commands, {sum(case.lost for case in cases)} with an answer lost, {KILLS} kills, "
        f"{len(passages)} calls, {answered} changes answered by the box; "
        f"{sum(case.result['reconciled'] for case in cases)} reconciled\n  "
        + "\n  ".join(f"{kind} {outcome}: {count}" for (kind, outcome), count in sorted(ends.items()))
        + "".join(f"\n  unknown, {message}: {count}" for message, count in sorted(unknown.items()))
    )

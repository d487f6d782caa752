"""One deployment per administration, in the sink too: another one carries out nothing, however it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest

from connector.errors import Fatal, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.records import Place
from connector.kafka.writing.transactions import FencedProducer, fenced_producer
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.intake.claims import Claim
from connector.sink.ledger.ledger import Ledger
from connector.wiring import run
from tests.sink.lanes import Lanes, laning
from tests.support.kafka.topics import admin, read_all
from tests.support.sink.commanding import Commands, create, deliver
from tests.support.source.polling import configuration, eventually, level, working

BOTH = ("source", "commands")


@pytest.fixture
async def pos() -> AsyncIterator[Sandbox]:
    """A small shop."""
    async with Sandbox(SandboxOptions(items=3)) as sandbox:
        yield sandbox


def deployment(bootstrap: str, prefix: str, pos: Sandbox, group: str = "", **settings: Any) -> Any:
    """The configuration of a deployment of that administration, under this name."""
    return configuration(bootstrap, prefix, pos, group=f"{prefix}{group}", entities=("order",), **settings)


async def ended(config: Any, **options: Any) -> str:
    """Run a worker that is expected to refuse: what it says."""
    with pytest.raises(Fatal) as refused:
        async with asyncio.timeout(20):
            await run(config, **options)
    return str(refused.value)


async def delivering(commands: Commands) -> dict[str, Any]:
    """An order, of which a part is to be delivered: no key protects that call."""
    await commands.run(create("c-1", "web-1"))
    line = commands.order("web-1")["lineList"]["line"][0]["lineId"]
    return deliver("c-2", "web-1", {"lineId": line, "quantity": 1})


@pytest.mark.parametrize(("first", "second"), [(("commands",), ("commands",)), (("commands",), BOTH), (BOTH, ("commands",))])
async def test_a_second_deployment_delivers_nothing(
    bootstrap: str, prefix: str, pos: Sandbox, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    """It says whose the commands are and what to do, joins no group, and the part is delivered once."""
    commands = Commands(bootstrap, prefix, pos)
    async with working(deployment(bootstrap, prefix, pos), roles=first):
        part = await delivering(commands)
        other = deployment(bootstrap, prefix, pos, "-b")
        said = await ended(other, roles=second)
        starting = asyncio.create_task(run(other, roles=second))
        (result,) = await commands.run(part)
        with pytest.raises(Fatal):
            await asyncio.wait_for(starting, 20)

    assert f"order commands of {prefix} belong to the deployment {prefix}: stop it and start with --adopt" in said
    assert [("delivered", "web-1")] == commands.effects("delivered")
    assert ("succeeded", 2) == (result["outcome"], len(await commands.published()))
    async with admin(bootstrap) as client:
        assert [] == [name for name, _ in await client.list_consumer_groups() if name.startswith(f"{prefix}-b")]


@pytest.mark.parametrize("roles", [("source",), ("commands",), BOTH])
async def test_either_half_refuses_either_role(bootstrap: str, prefix: str, pos: Sandbox, roles: tuple[str, ...]) -> None:
    """A deployment that only reads and one that only carries out are two, whichever came first."""
    for first, half in ((("commands",), "order commands"), (("source",), "positions")):
        name = f"{prefix}-{first[0]}"
        async with working(deployment(bootstrap, name, pos), roles=first) as worker:
            await eventually(lambda: len(worker.status.partitions) == 2)
            if first == ("source",):
                await level(worker, pos, ["order"])
        said = await ended(deployment(bootstrap, name, pos, "-b"), roles=roles)
        assert f"the {half} of {name} belong to the deployment {name}: " in said


async def test_adopting_moves_both_halves(bootstrap: str, prefix: str, pos: Sandbox) -> None:
    """Also where only one role is run; whoever owned them before is refused from then on, and the new one is not."""
    commands, old, new = (
        Commands(bootstrap, prefix, pos),
        deployment(bootstrap, prefix, pos),
        deployment(bootstrap, prefix, pos, "-b"),
    )
    async with working(old, roles=BOTH) as worker:
        await commands.run(create("c-1", "web-1"))
        await level(worker, pos, ["order"])
    async with working(new, roles=("commands",), adopt=True):
        await commands.run(create("c-2", "web-2"))

    owners = {row["group"] for topic in ("sync-markers", "command-ledger") for row in await named(bootstrap, f"{prefix}.{topic}")}
    assert {f"{prefix}-b"} == owners
    assert f"the positions and order commands of {prefix} belong to the deployment {prefix}-b: " in await ended(old)
    async with working(new, roles=BOTH):
        await commands.run(create("c-3", "web-3"))
    assert [("created", "web-1"), ("created", "web-2"), ("created", "web-3")] == commands.effects("created")


async def named(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """The latest records of a topic that name a deployment."""
    latest = {(record.partition, record.key): record.value for record in await read_all(bootstrap, topic)}
    return [row for row in map(orjson.loads, latest.values()) if "group" in row]


@pytest.mark.parametrize("roles", [("commands",), BOTH])
async def test_a_deployment_that_still_runs_when_it_is_adopted(
    bootstrap: str, prefix: str, pos: Sandbox, roles: tuple[str, ...]
) -> None:
    """It ends with the line that a start would say, at the latest with the next command, and carries that out no more."""
    commands = Commands(bootstrap, prefix, pos)
    started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run(deployment(bootstrap, prefix, pos), roles=roles, started=started))
    part = await delivering(commands)
    async with working(deployment(bootstrap, prefix, pos, "-b"), roles=roles, adopt=True):
        (result,) = await commands.run(part)
        with pytest.raises(Fatal, match=f"belong to the deployment {prefix}-b"):
            await asyncio.wait_for(running, 20)
        await commands.run(create("c-3", "web-3"))

    assert "succeeded" == result["outcome"]
    assert [("delivered", "web-1")] == commands.effects("delivered")
    assert 3 == len(await commands.published())


@pytest.fixture
async def lanes(bootstrap: str, prefix: str, pos: Sandbox) -> AsyncIterator[Lanes]:
    """The topics of an administration that nobody owns yet."""
    async with laning(bootstrap, prefix, pos) as found:
        yield found


async def test_a_record_of_an_older_version_is_ours(lanes: Lanes) -> None:
    """It names nobody: the work goes on where it stood, and the record names us from then on."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        assert {"offset", "finished"} == (await lanes.ledger())[-1].keys() - {"key"}
        async with lanes.owning(calls, group="ours"):
            assert "ours" == (await lanes.ledger())[-1]["group"]
            await lanes.send(create("c-2", "web-2"))
            await lanes.results(2)
    assert ["createOrderV3", "createOrderV3"] == pos.changes
    assert "ours" == (await lanes.ledger())[-1]["group"]


async def test_a_partition_of_another_deployment_is_not_taken(lanes: Lanes) -> None:
    """Also where nobody looked before: the lane judges again, and does nothing."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls, group="theirs"):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        await lanes.send(create("c-2", "web-2"))
        with pytest.raises(Fatal, match="belong to the deployment theirs"):
            await session(lanes, calls, "ours")
    assert ["createOrderV3"] == pos.changes


async def test_whose_an_idle_partition_is_is_not_forgotten(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger's retention would delete the record in time: it is written again and again, and only then."""
    async with lanes.worker() as (_, calls):
        for _ in range(2):
            async with lanes.owning(calls, group="ours"):
                pass
        assert ["ours"] == [row["group"] for row in await lanes.ledger()]
        monkeypatch.setattr("connector.sink.intake.in_hand.RENEWED_EVERY_S", 0.2)
        async with lanes.owning(calls, group="ours"):
            await eventually(lambda: len(lanes.transactions) >= 4)
    assert {("ours", 0)} == {(row["group"], row["offset"]) for row in await lanes.ledger()}


async def session(lanes: Lanes, calls: Any, group: str) -> None:
    """A session of the partition, until it ends by itself: it must not settle."""
    async with lanes.owning(calls, group=group) as task:
        await asyncio.wait_for(task, 20)


class Slow(FencedProducer):
    """A producer that waits in the middle of its transaction, with its records written."""

    def __init__(self, inner: FencedProducer, gate: asyncio.Event) -> None:
        self._inner, self._gate = inner, gate
        self.written = asyncio.Event()

    async def transaction(self, records: Any, agreed: Callable[[], Awaitable[None]] | None = None) -> None:
        async def later() -> None:
            self.written.set()
            await self._gate.wait()
            if agreed is not None:
                await agreed()

        await self._inner.transaction(records, later)


async def test_of_two_that_take_a_partition_at_once_the_later_gives_way(lanes: Lanes, bootstrap: str) -> None:
    """Both have read that it is nobody's, and both have written their name, undecided: only the first may stand."""
    cluster, place, gate = Cluster(bootstrap), Place(f"{lanes.prefix}.command-ledger", 0), asyncio.Event()
    one, two = Claim(cluster, place, "one"), Claim(cluster, place, "two")
    async with (
        fenced_producer(cluster, f"{lanes.prefix}.one", 0) as first,
        fenced_producer(cluster, f"{lanes.prefix}.two", 0) as second,
    ):
        for claim in (one, two):
            assert not claim.judged("")
            await claim.watch()
        slow = Slow(first, gate)
        claiming = asyncio.create_task(one.commit(slow, Ledger(place, {}).footer(0, [], "one")))
        await slow.written.wait()
        with pytest.raises(TransactionLost, match="another deployment, one, takes"):
            await two.commit(second, Ledger(place, {}).footer(0, [], "two"))
        gate.set()
        await claiming
    assert ["one"] == [row["group"] for row in await lanes.ledger()]


async def test_two_that_start_at_once_on_new_topics(bootstrap: str, prefix: str, pos: Sandbox) -> None:
    """One of them carries the command out; the other one refuses, or both do: never do two."""
    configs = [deployment(bootstrap, prefix, pos, group, command_partitions=2) for group in ("-a", "-b")]
    tasks = [asyncio.create_task(run(config, roles=("commands",))) for config in configs]
    commands = Commands(bootstrap, prefix, pos)
    try:
        ended, _ = await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert all("belong to the deployment" in str(task.exception()) for task in ended)
        assert ended
        for task, config in zip(tasks, configs, strict=True):
            if task.done():
                assert "belong to the deployment" in await ended_again(config)
        await commands.send(create("c-1", "web-1"), create("c-2", "web-2"), create("c-3", "web-3"))
        carried = asyncio.create_task(commands.results(3))
        refused = asyncio.gather(*tasks, return_exceptions=True)
        both: list[asyncio.Future[Any]] = [carried, refused]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not refused.done():
            await carried
        else:  # each had taken one partition: the second refuses a moment after the first
            carried.cancel()
            assert all("belong to the deployment" in str(error) for error in await refused)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert len(set(commands.effects("created"))) == len(commands.effects("created"))


async def ended_again(config: Any) -> str:
    """What it says at its next start."""
    return await ended(config, roles=("commands",))

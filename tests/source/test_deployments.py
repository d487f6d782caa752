"""Whose positions these are: two deployments on the same topics would publish everything twice."""

import asyncio

import pytest

from connector.config.load import Config
from connector.errors import Fatal
from connector.sandbox import Sandbox, SandboxOptions
from connector.wiring import run
from tests.support.source.polling import configuration, events_of, eventually, level, only, positions, truth, working

ORDERS = ("order",)


async def ended(config: Config, *, adopt: bool = False) -> None:
    """Run a worker that is expected to end by itself."""
    async with asyncio.timeout(20):
        await run(config, adopt=adopt)


async def test_positions_of_another_deployment_refuse_to_start(bootstrap: str, prefix: str) -> None:
    """Two would publish everything twice: the message names the other one and the way out, and nothing is published."""
    async with Sandbox(only("order", 10)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS, work_partitions=1)) as worker:
            await level(worker, pos, ORDERS)
        before = await events_of(bootstrap, f"{prefix}.orders")
        pos.shop.change("order", 5)
        other = configuration(bootstrap, prefix, pos, entities=ORDERS, work_partitions=1, group=f"{prefix}-b")
        with pytest.raises(Fatal, match=f"belong to the deployment {prefix}: .*--adopt"):
            await ended(other)

        assert before == await events_of(bootstrap, f"{prefix}.orders")


async def test_adopting_takes_the_positions_over_for_good(bootstrap: str, prefix: str) -> None:
    """Nothing comes twice; of idle entities too, so that the old deployment is refused from then on, and the new one not."""
    names = ("order", "receipt", "deliveryMethod")
    async with Sandbox(SandboxOptions(items=8)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=names, work_partitions=1)
        async with working(config) as worker:
            await level(worker, pos, names[:2])
            await eventually(lambda: worker.status.rows()[prefix, "deliveryMethod"]["position"])
        other = configuration(bootstrap, prefix, pos, entities=names, work_partitions=1, group=f"{prefix}-b")
        pos.shop.change("order", 3)
        async with working(other, adopt=True) as worker:
            await level(worker, pos, names[:2])
            looks = pos.requests.counts["getDeliveryMethods"]
            await eventually(lambda: pos.requests.counts["getDeliveryMethods"] >= looks + 2)

        assert {f"{prefix}-b"} == {row["group"] for _, row in (await positions(bootstrap, prefix)).values()}
        async with working(other) as worker:
            await level(worker, pos, names[:2])
        with pytest.raises(Fatal, match=f"belong to the deployment {prefix}-b"):
            await ended(config)
        events = await events_of(bootstrap, f"{prefix}.orders")
        assert len(set(events)) == len(events)
        assert set(truth(pos, "order")) <= set(events)


@pytest.mark.parametrize("group", ["", "-b"])
async def test_another_number_of_work_partitions_refuses_to_start(bootstrap: str, prefix: str, group: str) -> None:
    """Positions would not be found; also under another group's name, and also with --adopt."""
    async with Sandbox(only("order", 5)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
        changed = configuration(bootstrap, prefix, pos, entities=ORDERS, work_partitions=3, group=f"{prefix}{group}")
        with pytest.raises(Fatal, match=f"topic {prefix}.sync-markers has 2 partitions, not 3"):
            await ended(changed, adopt=True)

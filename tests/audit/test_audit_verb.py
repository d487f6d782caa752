"""`audit` as a process: what is shown, exit codes, and going on after it was killed."""

import asyncio
import json
from pathlib import Path

from connector.sandbox import Sandbox
from tests.support.program import at, ended, killed, started
from tests.support.source.holes import kept, plant
from tests.support.source.polling import configuration, level, only, working


async def test_an_audit_that_was_killed_goes_on_and_a_repair_ends_with_zero(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """It reads the rest alone; holes are 1, in words with what to do, and closed ones 0; `--restart` reads all of it."""
    async with Sandbox(only("order", 150)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order",))
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            early, late = list(pos.truth()["order"])[2], list(pos.truth()["order"])[-2]
            env = at(pos, bootstrap, prefix, XDG_STATE_HOME=tmp_path, CONNECTOR_PAGE_SIZE=5, CONNECTOR_ENTITIES="order")
            slow = await started("audit", env=env | {"CONNECTOR_AUDIT_REQUESTS_PER_SECOND": "10"})
            try:
                async with asyncio.timeout(60):
                    while sum(written.count(b"\n") for written in kept(tmp_path)) < 25:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0.05)
            finally:
                await killed(slow)
            pos.shop.change_item("order", early)
            await level(worker, pos, ["order"])
            await plant(bootstrap, f"{prefix}.orders", late, None, 1)

            quick, asked = env | {"CONNECTOR_AUDIT_REQUESTS_PER_SECOND": "200"}, pos.requests.counts["getOrders"]
            holes = await ended("audit", "orders", env=quick)
            resumed = pos.requests.counts["getOrders"] - asked
            assert (1, 2) == (holes.code, len(holes.out.splitlines())), holes.err
            assert f"{prefix} order: holes: 1 missing in Kafka" in holes.out
            assert f"  missing in Kafka: {late} (source " in holes.out
            assert "`audit --repair` closes them" in holes.errors[-1]

            asked = pos.requests.counts["getOrders"]
            mended = await ended("audit", "order", "--repair", "--json", env=quick)
            whole = pos.requests.counts["getOrders"] - asked
        assert (0, "clean", 1) == (mended.code, json.loads(mended.out)["result"], json.loads(mended.out)["repaired"]), mended.err
        assert resumed + 15 < whole
        assert [b""] == kept(tmp_path)


async def test_what_cannot_be_audited_is_said(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """1 where it could not be done, 2 for wrong usage, and one line each."""
    async with Sandbox(only("order", 3)) as pos:
        env = at(pos, bootstrap, prefix, XDG_STATE_HOME=tmp_path)
        nothing = await ended("audit", "order", env=env)
        usage = [await ended("audit", "customer", env=env), await ended("audit", "order", "--wait", "-1", env=env)]
        async with working(configuration(bootstrap, prefix, pos, entities=("order",))) as worker:
            await level(worker, pos, ["order"])
            pos.faults.switch("drop_before", probability=1)
            silent = await ended("audit", "order", env=env)
    assert (1, 1) == (nothing.code, len(nothing.errors))
    assert "audit-reports" in nothing.errors[0]
    assert [2, 2] == [each.code for each in usage]
    assert (1, True) == (silent.code, f"{prefix} order: unfinished: " in silent.out), silent.err

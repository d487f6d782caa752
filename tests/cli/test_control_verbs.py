"""`pause`, `resume` and `resync` as processes: what is shown, what is done, exit codes."""

import asyncio
import json
import signal

from connector.sandbox import Sandbox
from tests.support.kafka.topics import read_all
from tests.support.program import at, ended, killed, running, started
from tests.support.source.controlling import answered, ask, final, origins, published, told
from tests.support.source.polling import configuration, eventually, level, only, positions, truth, working

ORDERS = ("order",)


async def test_an_entity_is_paused_resumed_and_resynced(bootstrap: str, prefix: str) -> None:
    """Each verb waits for what became of it, in words or as JSON; either name of the entity will do."""
    async with Sandbox(only("order", 12)) as pos:
        env = at(pos, bootstrap, prefix)
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=5)) as worker:
            await level(worker, pos, ORDERS)
            paused = await ended("pause", "orders", env=env)
            await eventually(lambda: worker.status.rows().get((prefix, "order"), {}).get("state") == "paused")
            assert (0, f"pause {prefix} order: asked") == (paused.code, paused.errors[0])
            assert ["pause order accepted", "pause order done"] == [line.partition(" by ")[0] for line in paused.out.splitlines()]

            resumed = await ended("resume", "order", "--json", "--administration", prefix, env=env)
            assert 0 == resumed.code
            assert ["accepted", "done"] == [json.loads(line)["status"] for line in resumed.out.splitlines()]
            await eventually(lambda: worker.status.rows().get((prefix, "order"), {}).get("state") == "running")

            resynced = await ended("resync", "order", "--from", "0", "--apply", env=env)
            assert (0, "resync order done") == (resynced.code, resynced.out.splitlines()[-1].partition(" by ")[0])
        found = origins(await published(bootstrap, f"{prefix}.orders"))
        assert found["poll"] == found["resync"] == len(truth(pos, "order"))
        assert 6 == len(await told(bootstrap, prefix))


async def reported(bootstrap: str, prefix: str) -> None:
    """Wait until a worker has told how its entities stand."""
    async with asyncio.timeout(15):
        while not await read_all(bootstrap, f"{prefix}.connector-status"):  # noqa: ASYNC110 - a topic tells nobody
            await asyncio.sleep(0.1)


async def test_a_resync_without_apply_is_only_shown(bootstrap: str, prefix: str) -> None:
    """How many markers, about how many events, what would be skipped; nothing is asked."""
    async with Sandbox(only("order", 20)) as pos:
        env = at(pos, bootstrap, prefix)
        async with working(configuration(bootstrap, prefix, pos, entities=("order", "orderCategory"))) as worker:
            await level(worker, pos, ORDERS)
            head = pos.shop.heads()["order"]
            await reported(bootstrap, prefix)
            back = await ended("resync", "order", "--from", "3", "--json", env=env)
            words = await ended("resync", "order", "--from", "3", env=env)
            beyond = await ended("resync", "order", "--from", str(head + 5), env=env)
            here = await ended("resync", "order", "--from", str(head + 1), env=env)
            neither = await ended("resync", "order", env=env)
            listed = await ended("resync", "order-categories", env=env)

    assert {0} == {each.code for each in (back, words, beyond, here, neither, listed)}
    row = json.loads(back.out)
    assert ("order", 3, head, head - 2) == tuple(row[name] for name in ("entity", "from", "position", "markers"))
    assert 0 < row["events"] <= row["markers"]
    assert f"reads {head - 2} sync markers again, about {row['events']} events" in words.out
    assert "nothing is done without --apply" in words.out
    assert "beyond the head, so it would be rejected" in beyond.out
    assert "that is where it stands" in here.out
    assert "--from" in neither.out
    assert "all of it" in listed.out
    assert [] == await told(bootstrap, prefix)
    assert {"poll"} == origins(await published(bootstrap, f"{prefix}.orders")).keys()


async def test_what_is_refused_ends_with_one_and_what_is_no_request_with_two(bootstrap: str, prefix: str) -> None:
    """With the owner's reason; and a timeout says what it means."""
    async with Sandbox(only("order", 5)) as pos:
        env = at(pos, bootstrap, prefix)
        missing = await ended("pause", "order", env=env)
        assert 1 == missing.code
        assert "connector-control" in missing.errors[-1]
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
            beyond = await ended("resync", "order", "--from", "5000", "--apply", env=env)
            foreign = await ended("pause", "receipt", env=env)
        nobody = await ended("pause", "order", "--timeout", "3", env=env)
        usage = [
            await ended("pause", "customer", env=env),
            await ended("resync", "order", "--from", "-1", env=env),
            await ended("resume", env=env),
            await ended("pause", "order", "--administration", "other", env=env),
        ]
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:  # it stands, and is carried out
            await eventually(lambda: worker.status.rows().get((prefix, "order"), {}).get("state") == "paused")

    assert 1 == beyond.code == foreign.code == nobody.code
    assert "rejected" in beyond.out
    assert "beyond the POS's head" in beyond.out
    assert "no entity receipt is read here" in foreign.out
    assert "no worker took it within 3 s" in nobody.errors[-1]
    assert [2, 2, 2, 2] == [each.code for each in usage]


async def test_who_stops_waiting_is_told_that_it_stands(bootstrap: str, prefix: str) -> None:
    """Ctrl-C undoes nothing, and is no success."""
    async with Sandbox(only("order", 5)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
        process = await started("pause", "order", env=at(pos, bootstrap, prefix))
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30):
                assert b"asked" in await process.stderr.readline()
                process.send_signal(signal.SIGINT)
                _, err = await process.communicate()
        finally:
            await killed(process)
    assert (1, True) == (process.returncode, b"no longer waiting: pause order stands" in err)


async def test_a_resync_out_of_head_regressed_needs_no_marker(bootstrap: str, prefix: str) -> None:
    """The dry run knows the state, too."""
    async with Sandbox(only("order", 20)) as pos:
        env = at(pos, bootstrap, prefix)
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
            pos.shop.fall_back("order", 8)
            await eventually(lambda: worker.status.rows()[prefix, "order"]["state"] == "head-regressed")
            await asyncio.sleep(5)  # until the owner has published it
            shown = await ended("resync", "order", "--json", env=env)
            done = await ended("resync", "order", "--apply", env=env)

    row = json.loads(shown.out)
    assert ("head-regressed", 0, pos.shop.heads()["order"] + 1) == (row["state"], row["from"], row["markers"])
    assert 0 == done.code
    last = await final(bootstrap, f"{prefix}.orders")
    assert pos.truth()["order"].items() <= last.items()


async def test_a_worker_that_is_killed_in_the_middle_is_replaced_and_the_resync_ends(bootstrap: str, prefix: str) -> None:
    """kill -9 of the process: the next one goes on from the last committed page, and says done, once."""
    async with Sandbox(only("order", 80)) as pos:
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order", CONNECTOR_PAGE_SIZE=4, CONNECTOR_PARTITIONS=2)
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
        pos.faults.switch("delay_seconds", probability=1, seconds=0.2, operations=["getOrders"])
        async with running(env) as first:
            await ask(bootstrap, prefix, "resync", "order", from_=0)
            await answered(bootstrap, prefix, "resync", "accepted")
            async with asyncio.timeout(30):
                while (await positions(bootstrap, prefix))["order"][1]["syncMarker"] < 15:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
            first.process.kill()
        assert (await positions(bootstrap, prefix))["order"][1]["resync"]
        pos.faults.clear()
        async with running(env):
            await answered(bootstrap, prefix, "resync", "done", within=60)

    found = origins(await published(bootstrap, f"{prefix}.orders"))
    assert found["poll"] == found["resync"] == len(truth(pos, "order"))
    assert ["accepted", "done"] == [row["status"] for row in await told(bootstrap, prefix)]

"""`views` and a broker that is away: at the start, and while it works."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from connector.local_kafka.start import Broker
from tests.support.connectors import until
from tests.support.kafka.topics import admin, topic_settings
from tests.support.views.filling import environment, fill, journeys_of, prepare, sums_of
from tests.support.views.histories import TOTAL, complete
from tests.support.views.processes import ViewsProcess

HISTORIES = 200
SETTLE = 240.0


async def test_a_broker_that_restarts_costs_nothing(own_kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """The worker goes on; or, where it cannot, ends with a line for its supervisor to start it again."""
    told = environment(own_kafka.bootstrap, prefix, command_partitions=2, partitions=2)
    await prepare(told)
    await fill(told, (made for number in range(HISTORIES) for made in complete(number)))
    first = ViewsProcess(told, tmp_path / "first")
    try:
        await until(lambda: _some(first), SETTLE, "it is at work")
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.sleep(random.Random(1).uniform(0, 1))
        await asyncio.to_thread(own_kafka.restart)
        await fill(told, (made for number in range(HISTORIES, 2 * HISTORIES) for made in complete(number)))
        await until(lambda: _over(first, own_kafka, prefix), SETTLE, "it has counted all, or has ended")
        survivor = first if first.code is None else ViewsProcess(told, tmp_path / "second")
        try:
            await survivor.up_to_date(SETTLE)
            assert 0 == await survivor.stop()
        finally:
            survivor.end()
    finally:
        first.end()

    states = Counter(row["state"] for row in (await journeys_of(own_kafka.bootstrap, prefix)).values())
    assert Counter({"paid": 2 * HISTORIES}) == states
    assert (2 * HISTORIES, 2 * HISTORIES * TOTAL) == (await sums_of(own_kafka.bootstrap, prefix))["revenue.ordered"]


async def _over(worker: ViewsProcess, kafka: Broker, prefix: str) -> bool:
    counted = (await sums_of(kafka.bootstrap, prefix)).get("revenue.ordered", (0, 0))
    return worker.code is not None or (2 * HISTORIES, 2 * HISTORIES * TOTAL) == counted


async def _some(worker: ViewsProcess) -> bool:
    return await worker.metric("mplus_connector_views_records_total") > HISTORIES


async def test_no_worker_is_ready_while_the_broker_is_away(own_kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """However often it is asked: with why, and without a lag that nobody can know. Then it is ready again by itself."""
    told = environment(own_kafka.bootstrap, prefix, command_partitions=2, partitions=2)
    await prepare(told)
    await fill(told, complete(1))
    worker = ViewsProcess(told, tmp_path / "worker")

    async def ready(code: int) -> bool:
        return (await worker.get("/health/ready"))[0] == code

    try:
        await worker.up_to_date(SETTLE)
        await asyncio.to_thread(own_kafka.kill)
        await until(lambda: ready(503), SETTLE, "it notices")
        for _ in range(100):
            status, why = await worker.get("/health/ready")
            assert (503, True) == (status, "Kafka does not answer" in why)
            assert "mplus_connector_views_lag_records{" not in (await worker.get("/metrics"))[1]
            await asyncio.sleep(0.2)  # ten looks of the worker
        await asyncio.to_thread(own_kafka.restart)
        await until(lambda: ready(200), SETTLE, "it is ready again")
        assert 0 == await worker.stop()
    finally:
        worker.end()


async def test_tables_on_disk_survive_a_kill(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """And a rebuild is refused while a worker runs, which changes nothing."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=2, session_timeout=6, views_data=tmp_path / "data")
    await prepare(told)
    await fill(told, (made for number in range(HISTORIES) for made in complete(number)))
    victim, successor = ViewsProcess(told, tmp_path / "victim"), None
    try:
        await until(lambda: _some(victim), SETTLE, "it is at work")
        victim.kill()
        await fill(told, (made for number in range(HISTORIES, 2 * HISTORIES) for made in complete(number)))
        successor = ViewsProcess(told, tmp_path / "successor")
        await successor.up_to_date(SETTLE)
        refused = ViewsProcess(told, tmp_path / "refused", "--rebuild")
        await until(lambda: refused.code is not None, SETTLE, "it is refused")
        assert 0 == await successor.stop()
    finally:
        victim.end()
        if successor is not None:
            successor.end()

    assert 1 == refused.code
    assert f"the consumer group {prefix}.views has members" in refused.said
    assert (2 * HISTORIES, 2 * HISTORIES * TOTAL) == (await sums_of(bootstrap, prefix))["revenue.ordered"]
    assert 2 * HISTORIES == len(await journeys_of(bootstrap, prefix))


async def test_what_kafka_refuses_ends_the_worker(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """A failed send is not swallowed: one line, exit code 1, and the offset is not committed."""
    told = environment(bootstrap, prefix, command_partitions=1, partitions=1, session_timeout=6)
    await prepare(told)
    process, successor = ViewsProcess(told, tmp_path / "log"), None
    try:
        await process.up_to_date(SETTLE)
        await limit(bootstrap, f"{prefix}.order-journeys", 200)
        await fill(told, complete(1))
        await until(lambda: process.code is not None, SETTLE, "it has ended")
        await limit(bootstrap, f"{prefix}.order-journeys", 8 << 20 | 64 << 10)
        successor = ViewsProcess(told, tmp_path / "successor")
        await successor.up_to_date(SETTLE)
    finally:
        process.end()
        if successor is not None:
            successor.end()

    assert 1 == process.code
    assert "views cannot go on (MessageSizeTooLargeError" in process.said
    assert {"web-1": "paid"} == {key: row["state"] for key, row in (await journeys_of(bootstrap, prefix)).items()}


async def limit(bootstrap: str, topic: str, size: int) -> None:
    """Let a topic take records of at most so many bytes."""
    settings = {**await topic_settings(bootstrap, topic), "max.message.bytes": str(size)}
    kept = {name: settings[name] for name in ("cleanup.policy", "min.insync.replicas", "max.message.bytes")}
    async with admin(bootstrap) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=kept)])


async def test_without_a_broker_it_says_so_and_ends(tmp_path: Path, prefix: str) -> None:
    """One line, exit code 1."""
    process = ViewsProcess(environment("127.0.0.1:1", prefix), tmp_path / "log")
    try:
        await until(lambda: process.code is not None, SETTLE, "it has ended")
    finally:
        process.end()

    assert 1 == process.code
    assert "Kafka cannot be reached at 127.0.0.1:1" in process.said
    assert "Traceback" not in process.said


async def test_an_idle_worker_ends_at_once_when_it_is_asked_to(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """SIGTERM: exit code 0, also while it is starting."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=1)
    process = ViewsProcess(told, tmp_path / "log")
    try:
        await until(lambda: "starting" in process.said, SETTLE, "it is starting")
        assert 0 == await process.stop(SETTLE)
    finally:
        process.end()

    assert -signal.SIGKILL != process.code
    assert "Traceback" not in process.said

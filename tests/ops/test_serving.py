"""What a worker tells about itself over HTTP, with a real broker and a sandbox."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from connector.clock import Clock
from connector.config.load import Config, Connector, Kafka
from connector.events.kafka import PartitionLost, PartitionOwned
from connector.events.pos import CallMade
from connector.events.source import ShardStarted, ShardStopped
from connector.ops.metrics import Metrics
from connector.ops.status import RECENT_S, WorkerStatus
from connector.sandbox import Sandbox, SandboxOptions
from connector.wiring import ROLES, Worker, digest, share
from tests.support.http_get import get, until
from tests.support.source.polling import configuration, eventually, level, owned, working
from tests.support.source.spoiled import markers, spoil

Samples = dict[tuple[str, str], float]
PER_SHARD = {
    "mplus_connector_head_marker",
    "mplus_connector_position_marker",
    "mplus_connector_backlog_markers",
    "mplus_connector_backlog_age_seconds",
    "mplus_connector_head_regressed",
    "mplus_connector_shard_running",
    "mplus_connector_items_total",
    "mplus_connector_items_read_total",
    "mplus_connector_pages_total",
    "mplus_connector_page_seconds_count",
    "mplus_connector_shard_configured",
}


@asynccontextmanager
async def at_work(bootstrap: str, prefix: str, items: int, *entities: str) -> AsyncIterator[tuple[Sandbox, Worker]]:
    """A worker that reads these entities of a small shop."""
    pos = Sandbox(SandboxOptions(items=items))
    async with pos, working(configuration(bootstrap, prefix, pos, entities=entities)) as worker:
        yield pos, worker


async def samples(worker: Worker) -> Samples:
    """By name and entity, operation or topic, the sum of its samples."""
    text = (await get(worker, "/metrics")).text
    found: Samples = defaultdict(float)
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        label = next((sample.labels[name] for name in ("entity", "operation", "topic") if name in sample.labels), "")
        found[sample.name, label] += sample.value
    return found


async def row(worker: Worker, entity: str) -> dict[str, Any]:
    """The entity in /status."""
    rows = (await get(worker, "/status")).json()["entities"]
    (found,) = [row for row in rows if row["entity"] == entity]
    return dict(found)


async def test_metrics_exist_and_move(bootstrap: str, prefix: str) -> None:
    """Of every shard, the calls and the transactions; they follow what happens."""
    async with Sandbox(SandboxOptions(items=12)) as pos:
        spoil(pos, "relation", markers(pos, "relation")[3], "<ns:points>", "<ns:points>x")
        async with working(configuration(bootstrap, prefix, pos, entities=("order", "relation"))) as worker:
            await level(worker, pos, ("order", "relation"))
            before = await samples(worker)
            for entity in ("order", "relation"):
                assert {(name, entity) for name in PER_SHARD} <= set(before)
            head = pos.shop.heads()["order"]
            assert head == before["mplus_connector_head_marker", "order"] == before["mplus_connector_position_marker", "order"]
            assert len(pos.truth()["order"]) == before["mplus_connector_items_total", "order"]
            assert 1 == before["mplus_connector_dead_letters_total", "relation"]
            assert (1, 2) == (
                before["mplus_connector_pos_reachable", ""],
                before["mplus_connector_owned_partitions", f"{prefix}.work"],
            )

            pos.shop.change("order", 3)
            pos.faults.switch("server_fault", count=1, operations=["getOrders"])
            await level(worker, pos, ("order",))
            after = await samples(worker)
            for name, label in (
                ("mplus_connector_items_total", "order"),
                ("mplus_connector_pages_total", "order"),
                ("mplus_connector_decode_seconds_count", "getOrders"),
                ("mplus_connector_decode_seconds_sum", "getOrders"),
                ("mplus_connector_pos_call_seconds_count", "getOrders"),
                ("mplus_connector_pos_call_seconds_count", "getCurrentSyncMarkersV2"),
                ("mplus_connector_transaction_seconds_count", f"{prefix}.work"),
            ):
                assert after[name, label] > before[name, label], name
            assert head + 3 == after["mplus_connector_position_marker", "order"]
            assert 1 == after["mplus_connector_pos_retries_total", "getOrders"]
            assert 0 == after["mplus_connector_transactions_lost_total", f"{prefix}.work"]


async def test_metric_names_follow_the_rule(bootstrap: str, prefix: str) -> None:
    """mplus_connector_<thing>_<unit>[_total], and no label whose values have no bound."""
    async with at_work(bootstrap, prefix, 2, "order") as (pos, worker):
        await level(worker, pos, ("order",))
        text = (await get(worker, "/metrics")).text

    for family in text_string_to_metric_families(text):
        assert re.fullmatch(r"mplus_connector_[a-z_]+", family.name)
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) <= {
                "administration",
                "entity",
                "operation",
                "stage",
                "kind",
                "topic",
                "command",
                "outcome",
                "state",
                "listener",
                "partition",
                "version",
                "digest",
                "le",
            }


async def test_what_alerts_watch_is_there_before_it_happens(prefix: str) -> None:
    """Counters at 0, and what this worker may get to do, also where it has nothing to do yet."""
    async with Sandbox(SandboxOptions()) as pos:
        config = configuration("nowhere:9092", prefix, pos, entities=("order", "relation"), command_partitions=3)
    metrics = Metrics(WorkerStatus(Clock(), "me", ""))
    metrics.expect(share(config, ROLES))
    of = metrics.registry.get_sample_value

    letters = {"order": "too-large", "relation": "decode", "orderCommand": "parse"}
    assert [0.0] * 3 == [
        of("mplus_connector_dead_letters_total", {"administration": prefix, "entity": entity, "stage": stage})
        for entity, stage in letters.items()
    ]
    unknown = {"administration": prefix, "command": "payOrder", "outcome": "unknown"}
    assert (0, 0) == (
        of("mplus_connector_command_outcomes_total", unknown),
        of("mplus_connector_commands_lost_total", {"administration": prefix}),
    )
    topics = ({"topic": f"{prefix}.work"}, {"topic": f"{prefix}.order-commands"})
    assert [2, 3] == [of("mplus_connector_partitions", topic) for topic in topics]
    assert [0, 0] == [of("mplus_connector_owned_partitions", topic) for topic in topics]
    assert [0, 0] == [of("mplus_connector_transactions_lost_total", topic) for topic in topics]
    assert None is Metrics(WorkerStatus(Clock(), "", "")).registry.get_sample_value("mplus_connector_shard_configured")


async def test_age_is_nothing_when_idle_and_grows_when_stuck(bootstrap: str, prefix: str) -> None:
    """Idle, both are 0; of changes that cannot be read the backlog counts the markers, and the age runs from the first one."""
    async with at_work(bootstrap, prefix, 5, "order") as (pos, worker):
        await level(worker, pos, ("order",))
        looks = pos.requests.counts["getCurrentSyncMarkersV2"]
        await eventually(lambda: pos.requests.counts["getCurrentSyncMarkersV2"] > looks + 2)
        idle = await row(worker, "order")
        assert (0, 0.0, "running") == (idle["backlog"], idle["age"], idle["state"])

        pos.faults.switch("server_fault", probability=1, operations=["getOrders"])
        pos.shop.change("order", 4)

        async def behind() -> dict[str, Any] | None:
            found = await row(worker, "order")
            return found if found["backlog"] == 4 and found["age"] > 0 else None

        first = await until(behind)
        pos.shop.change("order", 2)

        async def older() -> bool:
            return bool((await row(worker, "order"))["age"] >= first["age"] + 1)

        await until(older)
        assert (await samples(worker))["mplus_connector_backlog_age_seconds", "order"] >= first["age"] + 1
        pos.faults.clear()
        await level(worker, pos, ("order",))

        async def idle_again() -> bool:
            return bool((await row(worker, "order"))["age"] == 0.0)

        await until(idle_again)


async def test_health_tells_what_keeps_it_from_working(bootstrap: str, prefix: str) -> None:
    """Alive always; ready when work is owned and the POS answers; a refused operation of one entity is not the POS's illness."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        pos.faults.missing_operations = frozenset({"getReceipts"})
        async with working(configuration(bootstrap, prefix, pos, entities=("order", "receipt"))) as worker:
            await level(worker, pos, ("order",))
            await eventually(lambda: worker.status.rows()[prefix, "receipt"]["state"] == "unavailable")
            ready = await get(worker, "/health/ready")
            assert (200, "ready", []) == (ready.status_code, ready.json()["status"], ready.json()["reasons"])

            pos.faults.switch("server_fault", probability=1)

            async def unready() -> httpx.Response | None:
                answer = await get(worker, "/health/ready")
                return answer if answer.status_code == 503 else None

            reasons = (await until(unready)).json()["reasons"]
            assert [reason for reason in reasons if prefix in reason and "POS" in reason]
            live = await get(worker, "/health/live")
            assert (200, {"status": "live"}) == (live.status_code, live.json())


def test_a_call_of_long_ago_tells_nothing_about_the_pos() -> None:
    """A worker that stands by makes none: its last one, failed or not, must neither alarm nor hide what others see."""
    times = [0.0]
    board = WorkerStatus(Clock(monotonic=lambda: times[-1]), "me", "")
    metrics = Metrics(board)
    seen = []
    board(CallMade("shop", "getOrders", 1.0, "Unanswered"))
    for moment in (1.0, RECENT_S + 1):
        times.append(moment)
        metrics.collect()
        seen.append(
            (board.faults, metrics.registry.get_sample_value("mplus_connector_pos_reachable", {"administration": "shop"}))
        )

    assert [({"shop": "Unanswered"}, 0.0), ({}, None)] == seen


def test_the_last_call_for_an_administration_that_moved_away_tells_nothing() -> None:
    """Whoever has it now makes the next one; as long as commands of it are here, it tells."""
    board = WorkerStatus(Clock(), "me", "")
    board(ShardStarted("shop", "order", 5, "running"))
    board(PartitionOwned("shop.order-commands", 1, 0.1))
    board(CallMade("shop", "getOrders", 1.0, "Unanswered"))
    board(ShardStopped("shop", "order"))
    assert {"shop": "Unanswered"} == board.faults
    board(PartitionLost("shop.order-commands", 1, "revoked"))
    assert {} == board.faults


def test_settings_of_a_machine_make_no_difference() -> None:
    """Two workers on one host need two ports; those that read differently are told apart."""
    settings: list[dict[str, Any]] = [{}, {"http_port": 1, "log_level": "debug"}, {"page_size": 7}]
    kafka = Kafka.model_construct(bootstrap_servers="a:1")
    digests = [
        digest(Config.model_construct(kafka=kafka, connector=Connector.model_construct(**more), administrations=()))
        for more in settings
    ]
    assert digests[0] == digests[1] != digests[2]


async def test_a_regressed_head_is_a_metric(bootstrap: str, prefix: str) -> None:
    """For an alert: somebody must look."""
    async with at_work(bootstrap, prefix, 10, "order", "receipt") as (pos, worker):
        await level(worker, pos, ("order", "receipt"))
        assert 0 == (await samples(worker))["mplus_connector_head_regressed", "order"]
        pos.shop.fall_back("order", 5)
        await eventually(lambda: worker.status.rows()[prefix, "order"]["state"] == "head-regressed")
        found = await samples(worker)

    assert 1 == found["mplus_connector_head_regressed", "order"]
    assert 0 == found["mplus_connector_head_regressed", "receipt"]
    assert 0 == found["mplus_connector_shard_running", "order"]


async def test_nothing_can_be_changed_over_http(bootstrap: str, prefix: str) -> None:
    """Only reading is served."""
    async with at_work(bootstrap, prefix, 0, "order") as (_, worker), httpx.AsyncClient() as client:
        await eventually(lambda: owned(worker) == {0, 1})
        for method, path in product(
            ("POST", "PUT", "DELETE", "PATCH"), ("/status", "/metrics", "/health/live", "/health/ready", "/")
        ):
            answer = await client.request(method, f"http://127.0.0.1:{worker.port}{path}")
            assert answer.status_code in (404, 405)

"""Topics: created as the contract says, and refused where their settings would lose data."""

from collections.abc import Mapping
from typing import Any

import pytest

from connector.config import Config
from connector.errors import Fatal
from connector.kafka.topics import Topic, ensure, judge, problems
from connector.sandbox import Sandbox
from connector.source.entities import ENTITIES
from connector.topics import plan, sink_limits
from connector.wiring import prepare_topics
from tests.brokers import create_topic, partition_count, topic_settings
from tests.source.rig import configuration

COMPACTED = {
    "articles", "article-groups", "relations", "employees", "invoices", "receipts", "orders", "proposals", "purchase-orders",
    "purchase-deliveries", "relation-points", "activities", "packing-slips", "delivery-methods", "order-categories",
}  # fmt: skip
LARGEST = 1 << 20
TOPIC = Topic("t", 2, 1, {"cleanup.policy": "compact", "max.message.bytes": "1000"}, fixed_partitions=True)


@pytest.fixture
def config(bootstrap: str, prefix: str) -> Config:
    """A deployment with settings unlike the defaults."""
    pos = Sandbox()
    pos.url = "http://127.0.0.1:9/"
    return configuration(bootstrap, prefix, pos, work_partitions=3, partitions=2, max_event_bytes=LARGEST)


@pytest.fixture
def arguments(bootstrap: str) -> Mapping[str, Any]:
    """Arguments for any client of the session's broker."""
    return {"bootstrap_servers": bootstrap}


async def test_everything_is_created_as_the_contract_says(config: Config, bootstrap: str, prefix: str) -> None:
    """Names, partitions, cleanup policies and the room for the largest event."""
    await prepare_topics(config, ENTITIES)

    for name in COMPACTED | {"stock"}:
        settings = await topic_settings(bootstrap, f"{prefix}.{name}")
        assert ("delete" if name == "stock" else "compact") == settings["cleanup.policy"]
        assert str(LARGEST) == settings["max.message.bytes"]
        assert 2 == await partition_count(bootstrap, f"{prefix}.{name}")
    stock = await topic_settings(bootstrap, f"{prefix}.stock")
    assert ("delete", "-1", "-1") == (stock["cleanup.policy"], stock["retention.ms"], stock["retention.bytes"])
    assert {*COMPACTED, "stock"} == {entity.topic for entity in ENTITIES}


async def test_the_connectors_own_topics_are_created_as_the_contract_says(config: Config, bootstrap: str, prefix: str) -> None:
    """Positions have as many partitions as the work topic; dead letters hold more than events."""
    await prepare_topics(config, ENTITIES)

    assert 3 == await partition_count(bootstrap, f"{prefix}.work") == await partition_count(bootstrap, f"{prefix}.sync-markers")
    assert "compact" == (await topic_settings(bootstrap, f"{prefix}.sync-markers"))["cleanup.policy"]
    assert "compact" == (await topic_settings(bootstrap, f"{prefix}.connector-status"))["cleanup.policy"]
    letters = await topic_settings(bootstrap, f"{prefix}.dead-letters")
    assert "delete" == letters["cleanup.policy"]
    assert int(letters["max.message.bytes"]) >= LARGEST + (64 << 10)


async def test_what_was_created_is_found_to_be_right(config: Config, arguments: Mapping[str, Any]) -> None:
    """The connector does not refuse its own topics, nor creates them twice; several workers may do it at the same time."""
    import asyncio

    first, second = await asyncio.gather(*(ensure(arguments, plan(config, ENTITIES)) for _ in range(2)))
    assert [] == first == second == await ensure(arguments, plan(config, ENTITIES))
    assert [] == await problems(arguments, plan(config, ENTITIES))


async def test_every_setting_that_would_lose_data_is_refused_at_once(config: Config, bootstrap: str, prefix: str) -> None:
    """All of them in one message, each with the topic, the setting and what it should be."""
    await create_topic(bootstrap, f"{prefix}.orders", cleanup_policy="delete")
    await create_topic(bootstrap, f"{prefix}.stock", cleanup_policy="compact")
    await create_topic(bootstrap, f"{prefix}.relations", cleanup_policy="compact", max_message_bytes="1000")
    await create_topic(bootstrap, f"{prefix}.sync-markers", 5, cleanup_policy="compact")
    with pytest.raises(Fatal) as raised:
        await prepare_topics(config, ENTITIES)

    lines = sorted(line for line in str(raised.value).split("; ") if prefix in line)
    assert 4 <= len(lines)
    for start, what, right in (
        (f"topic {prefix}.orders ", "cleanup.policy=delete", "compact"),
        (f"topic {prefix}.stock ", "cleanup.policy=compact", "delete"),
        (f"topic {prefix}.relations ", "max.message.bytes=1000", str(LARGEST)),
        (f"topic {prefix}.sync-markers ", "5 partitions", "3"),
    ):
        assert [line for line in lines if line.startswith(start) and what in line and right in line], lines


async def test_settings_that_lose_nothing_are_accepted(config: Config, bootstrap: str, prefix: str) -> None:
    """More partitions of an event topic, more room, another retention of compacted topics: the operator's choice."""
    await create_topic(bootstrap, f"{prefix}.orders", 7, cleanup_policy="compact", max_message_bytes=str(LARGEST * 2))
    await create_topic(
        bootstrap, f"{prefix}.relations", 1, cleanup_policy="compact", max_message_bytes=str(LARGEST), segment_ms="1000"
    )
    await prepare_topics(config, ENTITIES)


@pytest.mark.parametrize(
    ("partitions", "settings", "said"),
    [
        (2, {"cleanup.policy": "compact", "max.message.bytes": "1000"}, []),
        (2, {"cleanup.policy": "compact", "max.message.bytes": "1001"}, []),
        (3, {"cleanup.policy": "compact", "max.message.bytes": "1000"}, ["has 3 partitions, not 2"]),
        (2, {"cleanup.policy": "delete", "max.message.bytes": "1000"}, ["cleanup.policy=delete"]),
        (2, {"cleanup.policy": "compact,delete", "max.message.bytes": "1000"}, ["cleanup.policy=compact,delete"]),
        (2, {"cleanup.policy": "compact", "max.message.bytes": "999"}, ["max.message.bytes=999"]),
        (1, {"cleanup.policy": "", "max.message.bytes": "1"}, ["has 1 partitions", "cleanup.policy=", "max.message.bytes=1"]),
    ],
)
def test_a_topic_is_judged_by_what_would_lose_data(partitions: int, settings: dict[str, str], said: list[str]) -> None:
    """Pure: one line per problem, in a fixed order."""
    found = judge(TOPIC, partitions, settings)
    assert len(said) == len(found)
    for part, line in zip(said, found, strict=True):
        assert part in line
        assert line.startswith("topic t ")


async def test_what_the_broker_refuses_to_create_is_said(arguments: Mapping[str, Any], prefix: str) -> None:
    """Here: more copies than there are brokers."""
    with pytest.raises(Fatal, match=f"topic {prefix}.x cannot be created: .*replication"):
        await ensure(arguments, [Topic(f"{prefix}.x", 1, 9, {})])


async def test_results_and_ledger_hold_whatever_they_may_have_to(config: Config, bootstrap: str, prefix: str) -> None:
    """Whatever the broker's own limit is: a command of any size that is taken has a result, an INTENT and a dead letter."""
    await prepare_topics(config, ENTITIES)
    sizes = {}
    for name in ("order-commands", "order-command-results", "command-ledger", "dead-letters"):
        sizes[name] = int((await topic_settings(bootstrap, f"{prefix}.{name}"))["max.message.bytes"])

    room = 64 << 10
    assert {
        "order-commands": LARGEST,
        "order-command-results": LARGEST + room,
        "command-ledger": 2 * LARGEST + room,
        "dead-letters": LARGEST + room,
    } == sizes
    limits = sink_limits(prefix, config.connector)
    assert limits == {f"{prefix}.{name}": size for name, size in sizes.items() if name != "order-commands"}


@pytest.mark.parametrize(("topic", "policy"), [("order-command-results", "delete"), ("command-ledger", "compact,delete")])
async def test_results_and_ledger_of_an_older_version_are_refused(
    config: Config, bootstrap: str, prefix: str, topic: str, policy: str
) -> None:
    """They have the broker's own limit: the line says what to set."""
    await create_topic(bootstrap, f"{prefix}.{topic}", 2, cleanup_policy=policy, max_message_bytes="1048588")
    with pytest.raises(Fatal, match=rf"topic {prefix}\.{topic} has max\.message\.bytes=1048588, .*set it to \d+"):
        await prepare_topics(config, ENTITIES)

"""Topics: created as the contract says, and refused where their settings would lose data."""

import asyncio

import pytest
from aiokafka.admin import NewPartitions

from connector.config.load import Administration, Config
from connector.errors import Fatal
from connector.kafka.cluster import Cluster
from connector.kafka.creating import requests
from connector.kafka.topics import Topic, delete, ensure, existing, judge, problems
from connector.sandbox import Sandbox
from connector.source.entities import ENTITIES
from connector.wiring import prepare_topics
from connector.wiring.topics import plan, sink_limits
from tests.support.kafka.topics import admin, create_topic, partition_count, topic_settings
from tests.support.source.polling import configuration

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
def cluster(bootstrap: str) -> Cluster:
    """Arguments for any client of the session's broker."""
    return Cluster(bootstrap)


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


async def test_what_was_created_is_found_to_be_right(config: Config, cluster: Cluster) -> None:
    """The connector does not refuse its own topics, nor creates them twice; several workers may do it at the same time."""
    first, second = await asyncio.gather(*(ensure(cluster, plan(config, ENTITIES)) for _ in range(2)))
    assert [] == first == second == await ensure(cluster, plan(config, ENTITIES))
    assert [] == await problems(cluster, plan(config, ENTITIES))


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


async def test_what_the_broker_refuses_to_create_is_said(cluster: Cluster, prefix: str) -> None:
    """Here: more copies than there are brokers."""
    with pytest.raises(Fatal, match=f"topic {prefix}.x cannot be created: .*replication"):
        await ensure(cluster, [Topic(f"{prefix}.x", 1, 9, {})])


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


@pytest.mark.parametrize("administrations", [1, 100])
def test_no_request_is_larger_than_brokers_take(config: Config, administrations: int) -> None:
    """KRaft refuses one that needs more than 10,000 records: topics, partitions and settings are records."""
    rows = tuple(Administration.model_construct(administration=f"a{number}") for number in range(administrations))
    settings = config.connector.model_copy(update={"partitions": 40, "command_partitions": 100})
    wanted = plan(config.model_copy(update={"administrations": rows, "connector": settings}), ENTITIES)
    asked = list(requests(wanted))

    assert wanted == [topic for request in asked for topic in request]
    for request in asked:
        assert len(request) <= 50
        assert sum(topic.partitions for topic in request) <= 2000
        assert sum(1 + topic.partitions + len(topic.settings) for topic in request) < 10_000


def test_a_topic_with_more_partitions_than_a_request_may_have_is_asked_for_alone() -> None:
    """The broker decides about it."""
    large, small = Topic("large", 5000, 1, {}), Topic("small", 1, 1, {})
    assert [[small], [large], [small]] == list(requests([small, large, small]))


async def test_the_topic_that_the_broker_refuses_is_named(cluster: Cluster, prefix: str) -> None:
    """Not another one of the same request, which is made; and it is said what to do."""
    good = [Topic(f"{prefix}.{number}", 1, 1, {}) for number in range(60)]
    bad = Topic(f"{prefix}.bad", 1, 1, {"min.insync.replicas": "none"})
    with pytest.raises(Fatal, match=f"^topic {prefix}.bad cannot be created: .*compare CONNECTOR_"):
        await ensure(cluster, [*good[:10], bad, *good[10:]])
    assert [] == await ensure(cluster, good)
    assert {topic.name for topic in good} == {name for name in await existing(cluster) if name.startswith(f"{prefix}.")}


async def test_topics_that_are_refused_for_one_reason_are_one_line(cluster: Cluster, prefix: str) -> None:
    """Which says what to do."""
    topics = [Topic(f"{prefix}.{number}", 1, 9, {}) for number in range(5)]
    with pytest.raises(Fatal) as raised:
        await ensure(cluster, topics)
    assert f"topic {prefix}.0, {prefix}.1, {prefix}.2 and 2 more cannot be created: " in str(raised.value)
    assert str(raised.value).endswith(": set CONNECTOR_REPLICATION to at most the number of brokers")
    assert ";" not in str(raised.value)


def test_settings_that_cannot_be_seen_are_a_problem() -> None:
    """Else a topic that loses data would be taken for a good one; the right that is missing is named."""
    assert [
        "the settings of topic t cannot be seen, and some would lose data (TopicAuthorizationFailedError): "
        "grant this user DescribeConfigs on it"
    ] == judge(TOPIC, 2, "TopicAuthorizationFailedError")


async def test_what_is_said_of_raised_work_partitions_leads_out(config: Config, bootstrap: str, prefix: str) -> None:
    """Whoever does what the lines say, one after the other, ends with a deployment that starts."""
    await prepare_topics(config, ENTITIES)
    async with admin(bootstrap) as client:
        await client.create_partitions({f"{prefix}.work": NewPartitions(7)})
        async with asyncio.timeout(15):
            while await partition_count(bootstrap, f"{prefix}.work") < 7:  # noqa: ASYNC110  the broker has no event for it
                await asyncio.sleep(0.02)
    with pytest.raises(
        Fatal, match=rf"^topic {prefix}\.work has 7 partitions, not 3: nothing is ever written to it, so .*delete"
    ):
        await prepare_topics(config, ENTITIES)

    raised = config.model_copy(update={"connector": config.connector.model_copy(update={"work_partitions": 7})})
    with pytest.raises(
        Fatal, match=rf"^topic {prefix}\.sync-markers has 3 partitions, not 7: set CONNECTOR_WORK_PARTITIONS back to 3$"
    ):
        await prepare_topics(raised, ENTITIES)

    await delete(Cluster(bootstrap), [f"{prefix}.work"])
    await prepare_topics(config, ENTITIES)
    assert 3 == await partition_count(bootstrap, f"{prefix}.work")


@pytest.mark.parametrize("topic", ["order-command-results", "dead-letters", "connector-control-results", "stock"])
async def test_what_is_deleted_by_age_goes_by_the_brokers_clock(config: Config, bootstrap: str, prefix: str, topic: str) -> None:
    """A worker whose clock is wrong must not decide how long it is kept; a topic of an older version is taken as it is."""
    (wanted,) = [row for row in plan(config, ENTITIES) if row.name == f"{prefix}.{topic}"]
    await ensure(Cluster(bootstrap), [wanted])
    assert "LogAppendTime" == (await topic_settings(bootstrap, wanted.name))["message.timestamp.type"]
    assert [] == judge(wanted, wanted.partitions, {**wanted.settings, "message.timestamp.type": "CreateTime"})


@pytest.mark.parametrize(("topic", "policy"), [("order-command-results", "delete"), ("command-ledger", "compact,delete")])
async def test_results_and_ledger_of_an_older_version_are_refused(
    config: Config, bootstrap: str, prefix: str, topic: str, policy: str
) -> None:
    """They have the broker's own limit: the line says what to set."""
    await create_topic(bootstrap, f"{prefix}.{topic}", 2, cleanup_policy=policy, max_message_bytes="1048588")
    with pytest.raises(Fatal, match=rf"topic {prefix}\.{topic} has max\.message\.bytes=1048588, .*set it to \d+"):
        await prepare_topics(config, ENTITIES)

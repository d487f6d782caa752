"""What `check` says about rights, on a broker that has access control."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from connector.errors import Fatal, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.records import Record
from connector.kafka.writing.transactions import fenced_producer
from connector.local_kafka.jvm import JvmBroker
from connector.local_kafka.start import Broker
from connector.sandbox import Sandbox, SandboxOptions
from connector.wiring import chosen_entities, prepare_topics
from tests.support.kafka.topics import admin, create_topic
from tests.support.program import at, ended
from tests.support.source.polling import configuration

AUTHORIZER = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nallow.everyone.if.no.acl.found=true\n"
)
TOPIC, LITERAL, ALL, READ, WRITE, DESCRIBE_CONFIGS, DENY, ALLOW = 2, 3, 2, 3, 4, 10, 2, 3
"""Kafka's numbers: of a resource, a pattern, operations and permissions."""


@pytest.fixture(scope="module")
def guarded(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that obeys access rules, where there are any."""
    home = tmp_path_factory.mktemp("guarded")
    broker = JvmBroker(jars, home, keep=True)
    with (home / "server.properties").open("a") as settings:
        settings.write(AUTHORIZER)
    with broker:
        broker.restart()
        yield broker


async def rule(broker: Broker, topic: str, operation: int, permission: int) -> None:
    """Make an access rule about a topic, for everybody; it holds once the broker has learned of it from the controller."""
    told = (TOPIC, topic, LITERAL, "User:ANONYMOUS", "*", operation, permission)
    async with admin(broker.bootstrap) as client, asyncio.timeout(30):
        reply = await client._send_to_controller(CreateAclsRequest(*told))
        assert [0] == [code for code, _ in reply.creation_responses]
        while not (await client._send_request(DescribeAclsRequest(*told))).resources:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.02)


async def test_settings_that_may_not_be_seen_are_a_problem(guarded: Broker, prefix: str) -> None:
    """A worker does not start on a topic that may lose data for all it knows; `check` says which right is missing."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        config = configuration(guarded.bootstrap, prefix, pos, entities=("order",))
        await prepare_topics(config, chosen_entities(config))
        await rule(guarded, f"{prefix}.orders", ALL, ALLOW)
        await rule(guarded, f"{prefix}.orders", DESCRIBE_CONFIGS, DENY)
        said = await ended("check", "--json", env=at(pos, guarded.bootstrap, prefix, CONNECTOR_ENTITIES="order"))
        with pytest.raises(Fatal, match=f"{prefix}.orders cannot be seen, .* grant this user DescribeConfigs on it"):
            await prepare_topics(config, chosen_entities(config))

    (problem,) = [row["text"] for row in map(json.loads, said.out.splitlines()) if row["kind"] == "problem"]
    assert problem.startswith(f"the settings of topic {prefix}.orders cannot be seen")


async def test_a_topic_that_may_not_be_written_is_told_by_its_name(guarded: Broker, prefix: str) -> None:
    """Its transaction is lost, and it alone is to blame."""
    for name in ("open", "closed"):
        await create_topic(guarded.bootstrap, f"{prefix}.{name}")
        await rule(guarded, f"{prefix}.{name}", ALL, ALLOW)
    await rule(guarded, f"{prefix}.closed", WRITE, DENY)
    async with fenced_producer(Cluster(guarded.bootstrap), prefix, 0) as producer:
        with pytest.raises(TransactionLost, match=f"{prefix}.closed") as lost:
            await producer.transaction([Record(f"{prefix}.{name}", b"k", b"v") for name in ("open", "closed")])
    assert (f"{prefix}.closed", False) == (lost.value.topic, lost.value.slow)


@pytest.mark.parametrize("topic", ["connector-control", "order-commands", "command-ledger"])
async def test_a_topic_that_may_not_be_read_is_a_problem(guarded: Broker, prefix: str, topic: str) -> None:
    """Exit 1, and a line that names it; it may be seen and written, and nothing lies in it."""
    name = f"{prefix}.{topic}"
    async with Sandbox(SandboxOptions(items=3)) as pos:
        config = configuration(guarded.bootstrap, prefix, pos, entities=("order",))
        await prepare_topics(config, chosen_entities(config))
        await rule(guarded, name, ALL, ALLOW)
        await rule(guarded, name, READ, DENY)
        said = await ended("check", "--json", env=at(pos, guarded.bootstrap, prefix, CONNECTOR_ENTITIES="order"))

    (problem,) = [row["text"] for row in map(json.loads, said.out.splitlines()) if row["kind"] == "problem"]
    assert 1 == said.code
    assert problem.startswith("Kafka denies access: ")
    assert problem.endswith(f"{name}; grant this user the rights that docs/configuration.md lists")

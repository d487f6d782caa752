"""`views` on a broker that asks for a login and denies everything but the rights that docs/configuration.md lists."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.protocol.admin import CreateAclsRequest

from connector.local_kafka.broker import claim_port
from connector.local_kafka.jvm import JvmBroker
from tests.support.connectors import until
from tests.support.docs import page
from tests.support.kafka.topics import admin
from tests.support.views.filling import environment, fill, journeys_of
from tests.support.views.histories import complete
from tests.support.views.processes import ViewsProcess

GUARD = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
listeners={listeners},LOGIN://{address}
listener.security.protocol.map=CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config={module} required user_shop="kafka-s3cret";
"""
MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
TYPES = {"topic": 2, "group": 3}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "DescribeConfigs": 10}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
"""Kafka's numbers: of resources, operations, patterns and permissions."""
HISTORIES = 5

Right = tuple[int, str, int, int]


class Guarded(JvmBroker):
    """`bootstrap` is open to the test itself; `login` asks for a name."""

    def __init__(self, jars: Path, home: Path) -> None:
        super().__init__(jars, home, keep=True)
        self._claims.append(claim_port())
        self.login = f"127.0.0.1:{self._claims[-1].getsockname()[1]}"
        (listeners,) = re.findall(r"^listeners=(.+)$", self._settings.read_text(), re.MULTILINE)
        with self._settings.open("a") as settings:
            settings.write(GUARD.format(listeners=listeners, address=self.login, module=MODULE))


@pytest.fixture(scope="module")
def guarded(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Only a broker whose settings are ours has access control."""
    with Guarded(jars, tmp_path_factory.mktemp("guarded")) as broker:
        broker.restart()
        yield broker


def rights(name: str, *whose: str) -> Iterator[Right]:
    """As the table has them, for an administration and a group of this name."""
    rows = re.findall(r"^\| (`views[^|]*`) \| ([^|]+) \| ([^|]+) \|$", page("configuration.md"), re.MULTILINE)
    for _, resources, operations in (row for row in rows if row[0].strip("`") in whose and row[1] != "" and "`{" in row[1]):
        for kind, pattern, resource in re.findall(r"(topic|group)s?( with the prefix)? `([^`]+)`", resources):
            full = resource.replace("{a}", name).replace("{group}", name)
            for operation in operations.split(", "):
                yield TYPES[kind], full, PREFIXED if pattern else LITERAL, OPERATIONS[operation]


async def grant(broker: Guarded, given: Iterator[Right]) -> None:
    """Let the user do that."""
    async with admin(broker.bootstrap) as client:
        for kind, resource, pattern, operation in given:
            request = CreateAclsRequest(kind, resource, pattern, "User:shop", "*", operation, ALLOW)
            reply = await client._send_to_controller(request)
            assert [0] == [code for code, _ in reply.creation_responses]


async def test_the_documented_rights_are_enough(guarded: Guarded, prefix: str, tmp_path: Path) -> None:
    """To make the topics, to work, and to build everything anew."""
    login = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_USERNAME": "shop", "KAFKA_SASL_PASSWORD": "kafka-s3cret"}
    open_to_us = environment(guarded.bootstrap, prefix, command_partitions=2, partitions=2, session_timeout=2)
    told = open_to_us | login | {"KAFKA_BOOTSTRAP_SERVERS": guarded.login}
    await grant(guarded, rights(prefix, "views"))
    first = ViewsProcess(told, tmp_path / "first")
    try:
        await first.up_to_date()
        await fill(open_to_us, (made for number in range(HISTORIES) for made in complete(number)))
        await until(lambda: paid(guarded, prefix), 60, lambda: f"all are folded: {first.said}")
        assert 0 == await first.stop()
    finally:
        first.end()

    await grant(guarded, rights(prefix, "views --rebuild"))
    again = ViewsProcess(told, tmp_path / "again", "--rebuild")
    try:
        await again.up_to_date()
        assert 0 == await again.stop()
    finally:
        again.end()
    assert await paid(guarded, prefix)


async def paid(broker: Guarded, name: str) -> bool:
    """Whether there is a journey of each order, to its end."""
    journeys = await journeys_of(broker.bootstrap, name)
    return Counter({"paid": HISTORIES}) == Counter(row["state"] for row in journeys.values())


async def test_a_wrong_password_is_told(guarded: Guarded, prefix: str, tmp_path: Path) -> None:
    """In one line, which does not hold it."""
    login = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_USERNAME": "shop", "KAFKA_SASL_PASSWORD": "wrong-s3cret"}
    process = ViewsProcess(environment(guarded.login, prefix) | login, tmp_path / "log")
    try:
        code = await process.ended()
    finally:
        process.end()

    assert 1 == code
    assert "it refuses the login: check KAFKA_SASL_USERNAME" in process.said
    assert "wrong-s3cret" not in process.said

"""Brokers that cannot be reached: what is told tells them apart."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import IllegalSaslStateError, KafkaConnectionError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from connector.config.load import Kafka
from connector.errors import Fatal, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.configured import cluster_of
from connector.kafka.doors import why
from connector.kafka.reading.slices import slicing
from connector.kafka.records import Place, Record
from connector.kafka.topics import existing
from connector.kafka.writing.transactions import Tuning, fenced_producer
from tests.support.kafka.certificates import certificate
from tests.support.kafka.topics import create_topic

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NOBODY = 1
"""A port on which nobody listens."""


def settings(address: str, **more: Any) -> Kafka:
    """Of a deployment; whatever is in the environment."""
    given: dict[str, Any] = {
        "security_protocol": "PLAINTEXT",
        "ssl_cafile": None,
        "ssl_certfile": None,
        "ssl_keyfile": None,
        **more,
    }
    return Kafka.model_construct(bootstrap_servers=address, **given)


async def told(kafka: Kafka) -> str:
    """The one line of what goes wrong."""
    with pytest.raises(Fatal) as raised, cluster_of(kafka).reaching():
        await existing(cluster_of(kafka))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@asynccontextmanager
async def listening(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server of one's own."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"{host}:{port}"


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One that is no broker for us."""
    await reader.read(4)
    writer.close()


@pytest.mark.parametrize(
    ("name", "days", "trusted", "said"),
    [
        ("IP:127.0.0.1", -1, True, "its certificate has expired"),
        ("DNS:elsewhere.invalid", 9, True, "its certificate is for another host"),
        ("IP:127.0.0.1", 9, False, "its certificate is signed by nobody who is trusted here: set KAFKA_SSL_CAFILE"),
        ("IP:127.0.0.1", 9, True, "it closes the connection: check KAFKA_SECURITY_PROTOCOL and that a broker listens there"),
    ],
)
async def test_certificates_are_told_apart(tmp_path: Path, name: str, days: int, said: str, *, trusted: bool) -> None:
    """Expired, another host's, signed by nobody whom we know; and one that is right."""
    cert, context = certificate(tmp_path, name, days)
    async with listening(closing, context) as address:
        kafka = settings(address, security_protocol="SSL", ssl_cafile=cert if trusted else None)
        assert f"Kafka cannot be reached at {address}: {said}" == await told(kafka)


async def test_plain_text_to_a_tls_port(tmp_path: Path) -> None:
    """It answers with an alert, as a broker does, which is no answer of Kafka's."""

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(bytes.fromhex("15030300020250"))
        writer.close()

    async with listening(alert) as address:
        line = await told(settings(address))
    assert f"Kafka cannot be reached at {address}: it speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL" == line


async def test_tls_to_a_port_without_it(bootstrap: str) -> None:
    """The broker closes, and it is said what to look at."""
    line = await told(settings(bootstrap, security_protocol="SSL"))
    assert line.startswith(f"Kafka cannot be reached at {bootstrap}: ")
    assert "check KAFKA_SECURITY_PROTOCOL" in line


async def test_several_addresses_are_each_told() -> None:
    """A name that nobody knows, and a port where nobody listens."""
    line = await told(settings(f"no-such-host.invalid:9092,127.0.0.1:{NOBODY}"))
    assert "no-such-host.invalid:9092: its name is not known here: " in line
    assert f"127.0.0.1:{NOBODY}: nobody listens there: check KAFKA_BOOTSTRAP_SERVERS" in line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SaslAuthenticationFailed("no"), "it refuses the login"),
        (UnsupportedSaslMechanismError("no"), "does not offer this KAFKA_SASL_MECHANISM"),
        (IllegalSaslStateError("no"), "it asks for no login"),
        (KafkaConnectionError("no"), "it closes the connection"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_logins_are_told_apart(error: Exception, said: str) -> None:
    """As brokers answered when they were tried; what else it is, is said in the system's words."""
    assert said in why(error)


@asynccontextmanager
async def misleading(bootstrap: str) -> AsyncIterator[str]:
    """The broker, where it answers with another port than its own, as with a wrong advertised.listeners."""
    host, port = bootstrap.split(":")

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))

        async def on() -> None:
            while data := await reader.read(1 << 16):
                back.write(data)
            back.close()

        onward = asyncio.create_task(on())
        while data := await there.read(1 << 20):
            writer.write(data.replace(struct.pack(">i", int(port)), struct.pack(">i", NOBODY)))
        writer.close()
        await onward

    async with listening(between) as address:
        yield address


async def test_an_address_that_the_broker_gives_is_told(bootstrap: str, prefix: str) -> None:
    """The one that is configured answers; the other one is named, and the broker's setting. So do running workers."""
    await create_topic(bootstrap, prefix)
    expected = (
        f"Kafka gives 127.0.0.1:{NOBODY} as a broker's address, and nobody listens there: that broker is down, or its "
        "advertised.listeners names an address that cannot be reached from here"
    )
    async with misleading(bootstrap) as address:
        assert expected == await told(settings(address))
        with pytest.raises(TransactionLost) as lost:
            async with fenced_producer(Cluster(address), prefix, 0, Tuning(deadline=1.0)) as producer:
                await producer.transaction([Record(prefix, b"k", b"v")])
        assert expected in str(lost.value)
        async with slicing(Cluster(address), Place(prefix, 0)) as reader:
            assert await reader.first() is None
        assert expected == reader.trouble

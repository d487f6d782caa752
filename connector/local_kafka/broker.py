"""What every Kafka of ours has in common, however it is run: the contract, the settings, its ports, when it is ready."""

import random
import re
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

from connector.errors import Fatal

ADVICE = (
    "set KAFKA_BOOTSTRAP_SERVERS, or start Docker, "
    "or install Java 17 and Maven (Debian: apt-get install openjdk-17-jre-headless maven)"
)
START_TIMEOUT_S = 60.0
# Below the range from which the kernel takes ports for outgoing connections: from there a client that keeps knocking on a
# dead broker's port ends up connected to itself, and the broker cannot come back.
PORTS = range(20_000, 30_000)

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": "2000",  # so long a restart after kill -9 waits until its old registration lapses
    "broker.heartbeat.interval.ms": "500",
    "group.min.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.backoff.ms": "1000",  # compaction happens while a test looks on
    "message.max.bytes": str(16 << 20),
    "replica.fetch.max.bytes": str(16 << 20),
    "offsets.topic.num.partitions": "8",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}

Say = Callable[[str], None]


class KafkaUnavailable(Fatal):
    """There is no Kafka to be had; the message is one line that says why and what to do."""


class Broker(ABC):
    """A running Kafka. All calls block: from a coroutine, use asyncio.to_thread."""

    bootstrap: str
    origin: str
    ours = True  # whether kill and restart are possible

    @abstractmethod
    def alive(self) -> bool:
        """Whether it runs, as far as can be seen from here."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL; the data is kept."""

    @abstractmethod
    def restart(self) -> None:
        """Start again after kill, on the same port and data; returns when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """End it, and remove the data unless its directory was given."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def listeners(clients: str, internal: str, controller: str) -> dict[str, str]:
    """The settings for three addresses (host:port) to listen on."""
    return {
        "listeners": f"CLIENTS://{clients},INTERNAL://{internal},CONTROLLER://{controller}",
        "controller.quorum.voters": f"1@{controller}",
    }


def claim_port() -> socket.socket:
    """Hold a free TCP port through its UDP twin: while that socket is open, no other broker of ours takes it, dead or alive."""
    for port in random.sample(PORTS, 200):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            claim.close()
        else:
            return claim
    raise KafkaUnavailable(f"no port between {PORTS.start} and {PORTS.stop} is free for Kafka: end what holds them")


def await_answer(broker: Broker, log: Callable[[], str]) -> None:
    """Return once the broker answers; raises KafkaUnavailable with the log's essence if it ends or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(broker.bootstrap):
        if not broker.alive():
            raise KafkaUnavailable(f"Kafka did not start: {essence(log())}")
        if time.monotonic() > deadline:
            raise KafkaUnavailable(f"Kafka did not answer within {START_TIMEOUT_S:.0f} s: {essence(log())}")
        time.sleep(0.05)


def answers(address: str) -> bool:
    """Whether the broker at host:port names a live broker in its metadata. Asked by hand: a client would log every refusal."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # Metadata, version 1, correlation id, no client id, no topics
    try:
        with socket.create_connection(_endpoint(address), 2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            reply = connection.recv(12, socket.MSG_WAITALL)  # length, correlation id, number of brokers
    except (OSError, ValueError):
        return False
    return len(reply) == 12 and struct.unpack(">iii", reply)[2] > 0


def listens(address: str) -> bool:
    """Whether anything accepts connections at host:port."""
    try:
        socket.create_connection(_endpoint(address), 2).close()
    except (OSError, ValueError):
        return False
    return True


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    return host.strip("[]"), int(port)


def essence(log: str) -> str:
    """The one line of a Java log that says what went wrong: the first exception, else the first error, else the last line."""
    if "UnsupportedClassVersionError" in log:
        return "java is too old, Java 17 or newer is needed"
    for pattern in (r"^(?:Caused by: |Exception in .*?)?[\w.$]+(?:Exception|Error): (.+)$", r"ERROR[\]: ]+(.+)$"):
        if found := re.search(pattern, log, re.MULTILINE):
            return found[1].strip()
    return (log.strip().splitlines() or ["it wrote no log"])[-1]

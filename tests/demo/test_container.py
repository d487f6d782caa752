"""Kafka in a container, whatever Kafka the other tests use. Skipped where Docker gives us none."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer

from connector.local_kafka.broker import answers, listens
from connector.local_kafka.container import ContainerBroker, start_container
from tests.support.kafka.topics import create_topic, read_all

PARENT = """
    import time
    from connector.local_kafka.container import start_container
    broker = start_container(lambda _: None)
    print(broker.bootstrap if broker else "none", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def container() -> Iterator[ContainerBroker]:
    """A container that answers; one that starts but does not answer is a failure."""
    said: list[str] = []
    broker = start_container(said.append)
    if broker is None:
        reason = "; ".join(said) or "no Docker daemon answers"
        (pytest.fail if "Kafka did not" in reason else pytest.skip)(reason)
    with broker:
        yield broker


async def send(address: str, topic: str, value: bytes) -> None:
    """One value in one transaction."""
    async with AIOKafkaProducer(bootstrap_servers=address, transactional_id=topic) as producer, producer.transaction():
        await producer.send_and_wait(topic, value)


async def test_a_container_keeps_address_and_data_over_kill_9(container: ContainerBroker, prefix: str) -> None:
    """Killed, even twice, it is gone at once; started again it serves at its old address what was committed before."""
    address = container.bootstrap
    assert container.origin == "container"
    await create_topic(address, prefix)
    await send(address, prefix, b"1")
    container.kill()
    container.kill()
    assert not container.alive()
    assert not answers(address)
    container.restart()
    await send(address, prefix, b"2")
    assert [record.value for record in await read_all(address, prefix)] == [b"1", b"2"]


@pytest.mark.usefixtures("container")
def test_no_container_outlives_a_killed_parent() -> None:
    """SIGKILL for the process that started the container ends the container too, some seconds later."""
    argv = [sys.executable, "-c", textwrap.dedent(PARENT)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        address = parent.stdout.readline().strip()
        assert listens(address)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while listens(address):
        assert time.monotonic() < deadline, f"a broker still listens at {address}"
        time.sleep(0.2)

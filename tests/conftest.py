"""What all tests share: one real broker for the session, a broker of one's own to kill, and a clean environment."""

import asyncio
import functools
import gc
import inspect
import os
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from connector.local_kafka.jvm import fetched_jars, java
from connector.local_kafka.start import Broker, KafkaUnavailable, start_kafka
from tests.support.slow import slow_tests

hypothesis.settings.register_profile("busy machine", deadline=None)  # how long an example takes proves nothing
hypothesis.settings.load_profile("busy machine")

SETTINGS = ("MPLUS_", "KAFKA_", "CONNECTOR_")
KEPT = {"MPLUS_WSDL"}


NEEDS: dict[str, set[str]] = {
    "kafka": {"kafka", "_killable_kafka", "jars", "container"},
    "browser": {"browser"},
}
"""Mark → the fixtures, whoever asks for them, that make a test one of these."""


HANGS_S = 600.0
"""A test that takes longer hangs: it fails then, and the others go on."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes a broker, a browser or long: `make unit` leaves these out. And no test waits for ever."""
    slow = slow_tests()
    for item in items:
        if item.nodeid.partition("[")[0] in slow:
            item.add_marker("slow")
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj) and "SOAK_SECONDS" not in os.environ:
            item.obj = _bounded(item.obj)
        for mark, fixtures in NEEDS.items():
            if fixtures.intersection(getattr(item, "fixturenames", ())):
                item.add_marker(mark)


def pytest_collection_finish() -> None:
    """Thousands of tests stay: to look through them again and again for garbage takes seconds, in which every deadline passes."""
    gc.collect()
    gc.freeze()


def _bounded(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    @functools.wraps(test)
    async def bounded(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(HANGS_S):
            await test(*arguments, **named)

    return bounded


@pytest.fixture(scope="session", autouse=True)
def developer_settings() -> dict[str, str]:
    """The developer's own KAFKA_* settings, read before the tests are shielded from them: the broker fixtures obey them."""
    return {name: value for name, value in os.environ.items() if name.startswith("KAFKA_")}


@pytest.fixture(autouse=True)
def _shield(monkeypatch: pytest.MonkeyPatch, developer_settings: dict[str, str]) -> None:
    for name in list(os.environ):
        if name.startswith(SETTINGS) and name not in KEPT:
            monkeypatch.delenv(name)


def _started(settings: dict[str, str]) -> Broker:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        try:
            return start_kafka()
        except KafkaUnavailable as error:
            return pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def kafka(developer_settings: dict[str, str]) -> Iterator[Broker]:
    """The session's Kafka, started on first use. Do not kill it: others use it."""
    with _started(developer_settings) as broker:
        yield broker


@pytest.fixture
def bootstrap(kafka: Broker) -> str:
    """Where the session's Kafka answers."""
    return kafka.bootstrap


@pytest.fixture(scope="module")
def _killable_kafka(developer_settings: dict[str, str]) -> Iterator[Broker]:
    with _started(developer_settings) as broker:
        if not broker.ours:
            pytest.skip("this test kills its broker, and KAFKA_BOOTSTRAP_SERVERS names one that is not ours")
        yield broker


@pytest.fixture
def own_kafka(_killable_kafka: Broker) -> Broker:
    """A Kafka of this module alone, to kill and restart (from a coroutine: asyncio.to_thread); it runs when a test starts."""
    if not _killable_kafka.alive():
        _killable_kafka.restart()
    return _killable_kafka


@pytest.fixture(scope="session")
def jars() -> Path:
    """Kafka's jars, for a broker in a JVM whatever Kafka the other tests use."""
    try:
        java()
        return fetched_jars(lambda _: None)
    except KafkaUnavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture
def prefix() -> str:
    """A topic prefix (an administration's name) that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def wsdl() -> Path:
    """The vendor's WSDL, where the developer has it."""
    path = os.environ.get("MPLUS_WSDL")
    if not path:
        pytest.skip("MPLUS_WSDL does not name the vendor's mplusqapi.wsdl")
    return Path(path)

"""How brokers are reached: the arguments that every aiokafka client takes, and their errors in our words."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    AuthenticationFailedError,
    CommitFailedError,
    IllegalGenerationError,
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    ProducerFenced,
    RebalanceInProgressError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from connector.config.load import Kafka
from connector.errors import Fatal, Fenced, Reject, Retry, TransactionLost
from connector.kafka.clients import Client


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client. Raises Fatal for certificates that cannot be read."""
    arguments: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers, "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password.get_secret_value(),
        }
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(kafka)
    return arguments


def _ssl_context(kafka: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
        if kafka.ssl_certfile:
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
    except (OSError, ssl.SSLError) as error:
        raise Fatal(
            f"Kafka certificates cannot be loaded ({error.__class__.__name__}): check KAFKA_SSL_CAFILE, _CERTFILE, _KEYFILE"
        ) from error
    return context


@contextmanager
def reaching(kafka: Kafka) -> Iterator[None]:
    """Errors of connecting, in one line with what to do. Raises Fatal."""
    try:
        yield
    except AuthenticationFailedError as error:
        raise Fatal("Kafka refuses the login: check KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_…") from error
    except TopicAuthorizationFailedError as error:
        raise Fatal(f"Kafka denies access: {error}; grant this user the rights that docs/configuration.md lists") from error
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, OSError, TimeoutError) as error:
        raise Fatal(_unreached(kafka, error)) from error
    except UnknownTopicOrPartitionError as error:
        raise Fatal(missing(topic_of(error) or "that was asked for")) from error
    except KafkaError as error:
        raise Fatal(f"Kafka does not do what is asked: {_words(error)}") from error


def _unreached(kafka: Kafka, error: BaseException) -> str:
    """As far as it is known; a client that was not given time enough tells nothing."""
    known = str(error.args[0]) if error.args else ""
    if known.startswith("Kafka "):
        return known
    what = "KAFKA_BOOTSTRAP_SERVERS" + (
        "" if kafka.security_protocol == "PLAINTEXT" else ", the login (KAFKA_SASL_…, KAFKA_SSL_…)"
    )
    return f"Kafka cannot be reached at {kafka.bootstrap_servers}: check {what} and that the broker runs"


def missing(topic: str) -> str:
    """What is told of a topic that the brokers do not know."""
    return f"topic {topic} does not exist: a start of `run` makes it, but what lay in it is gone"


def topic_of(error: BaseException) -> str:
    """The topic that the brokers do not know, or do not let us at; empty for other errors."""
    named = isinstance(error, TopicAuthorizationFailedError | UnknownTopicOrPartitionError) and error.args
    return error.args[0] if named and isinstance(error.args[0], str) else ""


@contextmanager
def transacting(partition: int) -> Iterator[None]:
    """Errors of a transactional producer, by what follows: Fenced (let go), TransactionLost (replace, read back)."""
    try:
        yield
    except (ProducerFenced, InvalidProducerEpoch) as error:
        raise Fenced(f"partition {partition} was taken over by another worker") from error
    except (KafkaError, IllegalOperation, TimeoutError, OSError, AssertionError) as error:
        # aiokafka guards its transaction states with assertions, which a broker's death can trip; and once one send was
        # fenced, the next is an IllegalOperation, which is no KafkaError
        raise TransactionLost(f"transaction on partition {partition} lost: {_words(error)}", topic=topic_of(error)) from error


@contextmanager
def unattended(group: str) -> Iterator[None]:
    """Commits from outside of a group: the broker takes them only while it has no members. Raises Reject."""
    try:
        yield
    except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError) as error:
        raise Reject(f"the consumer group {group} has members: stop its consumers first, they would not notice") from error


@contextmanager
def only_we_cancel() -> Iterator[None]:
    """aiokafka lets CancelledError out of calls that nobody cancelled, and it would end us in silence. Raises Retry for it."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Retry("the Kafka client cancelled a call by itself") from error


Waiting = TypeVar("Waiting", bound=asyncio.Future[Any])
Result = TypeVar("Result")


def retrieved(future: Waiting) -> Waiting:
    """The same future, whose error counts as seen: asyncio reports none that nobody waited for."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def begin(start: Callable[[], Awaitable[None]], within: float) -> None:
    """Start a client in at most so many seconds. Raises TimeoutError, in words.

    A task of its own: aiokafka leaks its first connection when start() is cancelled half way, so it may end first.
    """
    starting = retrieved(asyncio.ensure_future(start()))  # also when nobody waits any more
    try:
        async with asyncio.timeout(within):
            await asyncio.shield(starting)
    except TimeoutError as error:
        raise TimeoutError(_trouble(start) or f"no broker answers within {within:.0f} s") from error
    finally:
        if not starting.done():
            await asyncio.wait([starting], timeout=2.0)
            starting.cancel()


def _trouble(start: Any) -> str:
    """What a client that starts knows of why it does not come to its end."""
    owner = getattr(start, "__self__", None)
    for client in (owner, getattr(owner, "client", None), getattr(owner, "_client", None)):
        if isinstance(client, Client):
            return client.trouble
    return ""


async def all_of(*coroutines: Coroutine[Any, Any, Result]) -> list[Result]:
    """The results of all, which run at the same time. Raises the first error, when the others have ended."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def close(consumer: AIOKafkaConsumer, within: float) -> None:
    """Stop a consumer for certain, each step in at most so many seconds.

    Each is a task of its own: a fetch that waits out a dead broker breaks stop() half way with a CancelledError.
    """
    try:
        for step in (consumer.stop, consumer._client.close):
            closing = retrieved(asyncio.create_task(step()))  # who closes has no use for its error
            await asyncio.wait([closing], timeout=within)
            closing.cancel()
            await asyncio.wait([closing], timeout=1.0)
    finally:
        consumer._closed = True  # cancelled, too: the process ends then, and aiokafka's complaint in the log helps nobody


def _words(error: BaseException) -> str:
    if isinstance(error, UnknownTopicOrPartitionError) and topic_of(error):
        return missing(topic_of(error))
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__

"""aiokafka's errors by what follows from them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    RebalanceInProgressError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from connector.cancellation import cancel_wins, cancelled
from connector.errors import Fenced, Reject, Retry, TransactionLost


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
        raise TransactionLost(f"transaction on partition {partition} lost: {in_words(error)}", topic=topic_of(error)) from error


@contextmanager
def unattended(group: str) -> Iterator[None]:
    """Commits from outside of a group: the broker takes them only while it has no members. Raises Reject."""
    try:
        yield
    except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError) as error:
        raise Reject(f"the consumer group {group} has members: stop its consumers first, they would not notice") from error


@contextmanager
def only_we_cancel() -> Iterator[None]:
    """aiokafka lets CancelledError out of calls that nobody cancelled, and it would end us in silence. Raises Retry for it.

    And no error of Kafka's hides that somebody did: see cancellation.cancel_wins.
    """
    try:
        with cancel_wins():
            yield
    except asyncio.CancelledError as error:
        if cancelled():
            raise
        raise Retry("the Kafka client cancelled a call by itself") from error


def missing(topic: str) -> str:
    """What is told of a topic that the brokers do not know."""
    return f"topic {topic} does not exist: a start of `run` makes it, but what lay in it is gone"


def topic_of(error: BaseException) -> str:
    """The topic that the brokers do not know, or do not let us at; empty for other errors."""
    named = isinstance(error, TopicAuthorizationFailedError | UnknownTopicOrPartitionError) and error.args
    return error.args[0] if named and isinstance(error.args[0], str) else ""


def in_words(error: BaseException) -> str:
    """The first line, after the error's name."""
    if isinstance(error, UnknownTopicOrPartitionError) and topic_of(error):
        return missing(topic_of(error))
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__

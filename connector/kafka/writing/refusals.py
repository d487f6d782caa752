"""Why a transaction was lost: the one topic whose records the broker does not take, or too little time."""

from collections.abc import Mapping

from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, ProducerFenced, RequestTimedOutError

from connector.errors import TransactionLost
from connector.kafka.clients import Producer
from connector.kafka.errors import missing

TOO_LARGE = "it takes no batch of that size: raise its max.message.bytes to what `check` names"

WHY = {
    2: "the broker finds the records damaged",
    10: TOO_LARGE,
    17: "the broker does not take its name",
    18: TOO_LARGE,
    29: "this user may not write to it: grant the rights that docs/configuration.md lists",
    32: "this machine's clock is ahead of the broker's (or far behind): set it right",
    43: "its message.format.version is too old for transactions",
    44: "a policy of the cluster forbids the records",
    -1: "the broker finds the records invalid, or its log says what else it is",
}
"""What the broker says of one topic's records, by its error code; -1 also stands for 87, which aiokafka does not know."""

SLOW = (
    "transaction on partition {partition} lost: not done within {seconds:.0f} s: the line to the broker is slow, or a "
    "quota holds it up: a lower CONNECTOR_PAGE_SIZE makes smaller transactions"
)


def refused(partition: int, errors: Mapping[str, BaseException]) -> BaseException:
    """What to raise where batches failed, by their topics; an error that is not about a topic as it is."""
    fenced: list[BaseException] = [error for error in errors.values() if isinstance(error, ProducerFenced)]
    told = {topic: words for topic, error in errors.items() if (words := _words(topic, error))}
    if fenced or not told:
        return (fenced + list(errors.values()))[0]
    said = "; ".join(f"topic {topic}: {words}" for topic, words in told.items())
    return TransactionLost(f"transaction on partition {partition} lost: {said}", topic=min(told) if len(told) == 1 else "")


def _words(topic: str, error: BaseException) -> str:
    code = getattr(error, "errno", 0) if isinstance(error, KafkaError) else 0
    if code == 3:
        return missing(topic)
    return f"{type(error).__name__}: {WHY[code]}" if code in WHY else ""


def late(partition: int, seconds: float, producer: Producer) -> TransactionLost:
    """What to raise where a transaction took too long: slow only if nothing else is known to hold it up."""
    if producer.client.trouble:
        return TransactionLost(f"transaction on partition {partition} lost: {producer.client.trouble}")
    passing = (RequestTimedOutError, NodeNotReadyError, KafkaConnectionError)
    held = {topic: error for topic, error in producer.refusals.items() if not isinstance(error, passing)}
    if not held:
        return TransactionLost(SLOW.format(partition=partition, seconds=seconds), slow=True)
    said = "; ".join(f"topic {topic}: {type(error).__name__}" for topic, error in held.items())
    return TransactionLost(
        f"transaction on partition {partition} lost: the broker put it off for {seconds:.0f} s: {said}",
        topic=min(held) if len(held) == 1 else "",
    )

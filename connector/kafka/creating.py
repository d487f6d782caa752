"""Making topics, in requests that every broker takes: KRaft refuses one that needs more than 10,000 records or partitions."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from connector.errors import Fatal
from connector.kafka.clients import Admin

REQUEST_TOPICS_MAX = 50
"""Topics of a request: each is a record, and so is each of its settings."""

REQUEST_PARTITIONS_MAX = 2000
"""Partitions of a request, unless a topic alone has more: each is a record."""

DESCRIBED_MAX = 200
"""Topics that are asked about in one request."""

WITHIN_S = 30.0
"""Seconds until every broker knows a new topic, or does what it put off, at most."""

AGAIN_S = 0.2
"""Seconds between two looks meanwhile."""

SHOWN = 3
"""Topics that a message names, at most, when all are refused for one reason."""

PUT_OFF = {7, 41, 89}
"""Kafka's error codes for "not now": timed out, no controller, quota."""

TOO_FEW, FENCED = 38, "fenced"
"""Kafka's error code for fewer brokers than replicas, and its word where brokers are there that have just not been heard of."""

ADVICE = {
    17: "topic names are made of the administration's name and CONNECTOR_GROUP",
    29: "grant this user the right Create, as docs/configuration.md lists it",
    31: "grant this user the right Create, as docs/configuration.md lists it",
    37: "set CONNECTOR_PARTITIONS, CONNECTOR_WORK_PARTITIONS and CONNECTOR_COMMAND_PARTITIONS to what the cluster takes",
    38: "set CONNECTOR_REPLICATION to at most the number of brokers",
    40: "compare CONNECTOR_MAX_EVENT_BYTES and CONNECTOR_MIN_INSYNC_REPLICAS with what the broker takes",
    44: "a policy of the cluster forbids it: change the settings that it names, or make the topic by hand (docs/topics.md)",
}
"""What to do, by Kafka's error code."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic the connector needs. `settings` are given when it is created.

    `fixed_partitions`: their number must stay as configured, by `counted`; `expendable`: why the topic may be deleted all the
    same, if it may. `needs`: settings without which data would be lost.
    """

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    fixed_partitions: bool = False
    needs: tuple[str, ...] = (
        "cleanup.policy",
        "max.message.bytes",
        "message.timestamp.type",
        "min.insync.replicas",
        "retention.ms",
        "retention.bytes",
    )
    counted: str = "CONNECTOR_PARTITIONS"
    expendable: str = ""


def requests(topics: Sequence[Topic]) -> Iterator[list[Topic]]:
    """The topics of each request."""
    request: list[Topic] = []
    for topic in topics:
        partitions = sum(other.partitions for other in request) + topic.partitions
        if request and (len(request) == REQUEST_TOPICS_MAX or partitions > REQUEST_PARTITIONS_MAX):
            yield request
            request = []
        request.append(topic)
    if request:
        yield request


async def create(admin: Admin, topics: Sequence[Topic]) -> None:
    """Make topics that are missing, and wait until the brokers know them; another worker may make them at the same time.

    Raises Fatal, which names the topics that are refused, and what to do.
    """
    for request in requests(topics):
        await _create(admin, request)
    for start in range(0, len(topics), DESCRIBED_MAX):
        await _wait_for(admin, [topic.name for topic in topics[start : start + DESCRIBED_MAX]])


async def would_create(admin: Admin, topics: Sequence[Topic]) -> list[str]:
    """Why the brokers would refuse to make these, a line each; makes nothing."""
    found = []
    for request in requests(topics):
        found += _refusals(await _asked(admin, request, only_look=True))
    return found


async def _create(admin: Admin, request: list[Topic]) -> None:
    """What the broker puts off is asked for again, until it has had its time."""
    until = asyncio.get_running_loop().time() + WITHIN_S
    while request:
        answers = await _asked(admin, request)
        late = asyncio.get_running_loop().time() > until
        put_off = {name for name, code, words in answers if _is_put_off(code, words) and not late}
        if refused := _refusals([row for row in answers if row[0] not in put_off]):
            raise Fatal("; ".join(refused))
        request = [topic for topic in request if topic.name in put_off]
        await asyncio.sleep(AGAIN_S if request else 0)


def _is_put_off(code: int, words: str) -> bool:
    return code in PUT_OFF or (code == TOO_FEW and FENCED in words)


async def _asked(admin: Admin, request: list[Topic], *, only_look: bool = False) -> list[tuple[str, int, str]]:
    """Topic, error code and the broker's own words."""
    new = [NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.settings)) for topic in request]
    answer = await admin.create_topics(new, validate_only=only_look)
    return [(name, code, (words[0] if words else None) or "") for name, code, *words in answer.topic_errors]


def _refusals(answers: Sequence[tuple[str, int, str]]) -> list[str]:
    """One line per reason."""
    reasons: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name, code, words in answers:
        if code and for_code(code) is not TopicAlreadyExistsError:
            reasons[code, words.replace(name, "…")].append(name)
    return [_refusal(code, words, names) for (code, words), names in reasons.items()]


def _refusal(code: int, words: str, names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    said = words.rstrip(".") or for_code(code).__name__
    advice = "try again when the brokers are up" if _is_put_off(code, words) else ADVICE.get(code, "")
    return f"topic {shown} cannot be created: {said}" + (f": {advice}" if advice else "")


async def _wait_for(admin: Admin, names: list[str]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while names:
            described = await admin.describe_topics(names)
            names = [row["topic"] for row in described if not _led(row)]
            await asyncio.sleep(AGAIN_S if names else 0)


def _led(row: Mapping[str, Any]) -> bool:
    """Whether there is such a topic, and each partition has a leader."""
    return bool(row["partitions"]) and all(partition["leader"] >= 0 for partition in row["partitions"])

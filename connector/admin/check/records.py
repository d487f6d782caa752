"""What `check` sees in the topics of an administration that others write: rights, producers, clocks."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connector.admin.check.finding import Finding
from connector.config.load import Administration, Config
from connector.errors import ConnectorError
from connector.kafka.cluster import Cluster
from connector.kafka.configured import cluster_of
from connector.kafka.reading.latest import last_records
from connector.kafka.records import partition_of
from connector.messages.dead_letter import REDRIVE
from connector.messages.topics import Topics

RECENT = 20
"""Commands of a partition that are looked at."""

CLOCKS_APART_S = 30.0
"""Seconds by which clocks may differ, and nobody needs to know."""

ARRIVAL = 1
"""Kafka's number of a record whose time the broker has set."""


async def topics(config: Config, there: Mapping[str, int], administration: Administration) -> list[Finding]:
    """Whether requests of operators, commands and their ledger can be read: a worker that may not would never hear them.

    And whether all producers put an order's commands in one place.
    """
    cluster, name = cluster_of(config.kafka), administration.administration
    topics = {Topics(name).control: 1, Topics(name).commands: RECENT, Topics(name).ledger: 1}
    looks = [_last(cluster, topic, there[topic], most) for topic, most in topics.items() if topic in there]
    found = dict(await asyncio.gather(*looks))
    denied = [row for row in found.values() if isinstance(row, Finding)]
    commands = found.get(Topics(name).commands)
    late = [finding for records in found.values() if isinstance(records, list) for finding in behind(name, records, time.time())]
    return [*denied, *late[:1], *(_placed(Topics(name).commands, commands, there) if isinstance(commands, list) else [])]


async def _last(cluster: Cluster, topic: str, partitions: int, most: int) -> tuple[str, list[Any] | Finding]:
    try:
        with cluster.reaching():
            return topic, await last_records(cluster, topic, partitions, most)
    except ConnectorError as error:
        return topic, Finding("problem", str(error))


def behind(administration: str, records: Iterable[Any], now: float) -> list[Finding]:
    """The broker's clock stands in what it got; `now`: epoch seconds. Pure."""
    arrivals = [record.timestamp / 1000 for record in records if record.timestamp_type == ARRIVAL]
    seconds = max(arrivals, default=0.0) - now
    if seconds < CLOCKS_APART_S:
        return []
    text = f"{administration}: this machine's clock is at least {seconds:.0f} s behind the broker's: set it right"
    return [Finding("problem", text)]


def _placed(topic: str, records: Sequence[Any], there: Mapping[str, int]) -> list[Finding]:
    if strays := astray(records, there[topic]):
        return [Finding("problem", _misplaced(topic, strays, len(records)))]
    return (
        [Finding("ok", f"{topic}: the last {len(records)} commands lie where Java's murmur2 puts their keys")] if records else []
    )


def astray(records: Iterable[Any], partitions: int) -> list[str]:
    """Commands, as partition:offset, that lie elsewhere than Java's murmur2 puts their key. Pure.

    One without a key has no such place, and one that was redriven lies where it first lay.
    """
    placed = (record for record in records if record.key and REDRIVE not in dict(record.headers))
    return [f"{row.partition}:{row.offset}" for row in placed if row.partition != partition_of(row.key, partitions)]


def _misplaced(topic: str, strays: Sequence[str], looked_at: int) -> str:
    shown = ", ".join(strays[:3]) + (", …" if len(strays) > 3 else "")
    return (
        f"{topic}: {len(strays)} of the last {looked_at} commands lie where Java's murmur2 would not put their keys "
        f"(partition:offset {shown}): two commands of one order may run at once; set partitioner=murmur2_random in producers "
        "that use librdkafka, and Java's default partitioner in all others"
    )

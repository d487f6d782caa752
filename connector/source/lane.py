"""A lane of the source: an owned work partition, its one writer, and the pollers of its shards."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.kafka.ownership import Membership, watch
from connector.kafka.reading import read_back
from connector.kafka.records import Place, Record
from connector.kafka.tenure import Office, Settled, together
from connector.kafka.transactions import FencedProducer
from connector.kafka.writer import Writer
from connector.source.bundles import Bundle
from connector.source.positions import Deployment, Position


class Polling(Protocol):
    """A poller of any kind."""

    async def run(self) -> None:
        """Poll until cancelled."""


@dataclass(frozen=True, slots=True)
class Shard:
    """An entity of an administration: where its position is kept, and how its poller is made."""

    administration: str
    entity: str
    positions: str
    poller: Callable[[Position, "Callable[[Bundle], asyncio.Future[None]]"], Polling]


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What all lanes of a worker share."""

    office: Office
    deployment: Deployment
    shards: Callable[[int], Sequence[Shard]]
    status: Callable[[Sequence[Shard]], Sequence[Record]]
    status_interval: float = 4.0


class Lane:
    """The work on a partition; see kafka.tenure.Work."""

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts

    async def __call__(self, place: Place, producer: FencedProducer, membership: Membership, settled: Settled) -> None:
        """Read the positions back and poll until cancelled."""
        office, partition = self._parts.office, place.partition
        shards = self._parts.shards(partition)
        positions = await self._positions(partition, shards)
        settled()
        writer = Writer(producer, place, office.tell, office.clock)
        pollers = [self._poller(shard, positions[shard.positions], partition, writer) for shard in shards]
        await together(
            writer.run(),
            watch(membership, place, office.watch_interval),
            self._publish_status(shards, writer),
            *(poller.run() for poller in pollers),
        )

    async def _positions(self, partition: int, shards: Sequence[Shard]) -> Mapping[str, Mapping[bytes, bytes]]:
        topics = {shard.positions for shard in shards}
        return {topic: await read_back(self._parts.office.arguments, topic, partition) for topic in topics}

    def _poller(self, shard: Shard, positions: Mapping[bytes, bytes], partition: int, writer: Writer) -> Polling:
        deployment, key = self._parts.deployment, shard.entity.encode()

        def commit(bundle: Bundle) -> "asyncio.Future[None]":
            record = Record(shard.positions, key, deployment.encode(bundle.position), partition=partition)
            return writer.submit([*bundle.records, record])

        position = deployment.decode(positions.get(key))
        if deployment.adopt and key in positions:
            commit(Bundle(position))  # ours from now on: the deployment that wrote it refuses to go on
        return shard.poller(position, commit)

    async def _publish_status(self, shards: Sequence[Shard], writer: Writer) -> None:
        while shards:
            await self._parts.office.clock.sleep(self._parts.status_interval)
            await writer.submit(self._parts.status(shards))

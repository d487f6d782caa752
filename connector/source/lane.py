"""A lane of the source: an owned work partition, its one writer, and the pollers of its shards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from connector.kafka.connection import transacting
from connector.kafka.following import Follower, following
from connector.kafka.ownership import Membership, watch
from connector.kafka.reading import read_back
from connector.kafka.records import Place, Record
from connector.kafka.tenure import Office, Settled, together
from connector.kafka.transactions import FencedProducer
from connector.kafka.writer import Writer
from connector.source.control import read
from connector.source.positions import Applied, Deployment
from connector.source.seat import Pen, Seat, Shard


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What all lanes of a worker share; `owner` is its name."""

    office: Office
    owner: str
    deployment: Deployment
    shards: Callable[[int], Sequence[Shard]]
    status: Callable[[Sequence[Shard]], Sequence[Record]]
    status_interval: float = 2.0


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
        pen = Pen(writer.submit, self._parts.deployment.encode, partition, self._parts.owner, office.tell, office.clock)
        seats = [self._seat(shard, positions[shard.positions], pen) for shard in shards]
        await together(
            writer.run(),
            watch(membership, place, office.watch_interval),
            self._publish_status(shards, writer),
            self._hear(seats, partition),
            *(seat.run() for seat in seats),
        )

    async def _positions(self, partition: int, shards: Sequence[Shard]) -> Mapping[str, Mapping[bytes, bytes]]:
        topics = {shard.positions for shard in shards}
        return {topic: await read_back(self._parts.office.arguments, topic, partition) for topic in topics}

    def _seat(self, shard: Shard, positions: Mapping[bytes, bytes], pen: Pen) -> Seat:
        return Seat(shard, self._parts.deployment.decode(positions.get(shard.entity.encode())), pen)

    async def _hear(self, seats: Sequence[Seat], partition: int) -> None:
        """Tell the seats what operators ask, from what each did not apply yet."""
        starts: dict[Place, int] = {}
        for seat in seats:
            place = Place(seat.shard.control, 0)
            starts[place] = min(seat.hears_from, starts.get(place, seat.hears_from))
        if not starts:
            return
        with transacting(partition):
            async with following(self._parts.office.arguments, starts) as follower:
                for seat in seats:
                    seat.settle(follower.ends[Place(seat.shard.control, 0)])
                while True:
                    await self._pass_on(follower, seats)

    async def _pass_on(self, follower: Follower, seats: Sequence[Seat]) -> None:
        for record in await follower.next():
            age = self._parts.office.clock.wall().timestamp() - record.timestamp / 1000
            request = read(record.value, Applied(record.partition, record.offset), age)
            for seat in seats:
                if request is not None and seat.shard.control == record.topic:
                    seat.hear(request)

    async def _publish_status(self, shards: Sequence[Shard], writer: Writer) -> None:
        while shards:
            await self._parts.office.clock.sleep(self._parts.status_interval)
            await writer.submit(self._parts.status(shards))

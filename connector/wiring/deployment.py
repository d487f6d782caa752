"""One deployment per administration: whose positions and command ledgers these are, before anything is joined or taken."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from connector.config.load import Config
from connector.errors import Blocked, Fatal
from connector.kafka.configured import cluster_of
from connector.kafka.reading.tails import newest
from connector.kafka.records import Place
from connector.kafka.topics import existing
from connector.messages.topics import Topics
from connector.sink.intake.claims import lane_key, owner, said
from connector.wiring.adopting import Move, moved


@dataclass(frozen=True, slots=True)
class Half:
    """One of the two things that a deployment owns in an administration, and the role that writes it.

    `key`: the one key in a partition that names the owner; None: all do. `id`: the transactional id that a group writes a
    partition of an administration with.
    """

    name: str
    role: str
    topic: Callable[[Topics], str]
    key: Callable[[int], bytes | None]
    id: Callable[[str, str, int], str]


HALVES = (
    Half("positions", "source", attrgetter("positions"), lambda _: None, lambda group, _, number: f"{group}.{number}"),
    Half(
        "order commands",
        "commands",
        attrgetter("ledger"),
        lane_key,
        lambda group, name, number: f"{group}.{Topics(name).commands}.{number}",
    ),
)


@dataclass(frozen=True, slots=True)
class Theirs:
    """A partition that another deployment wrote last."""

    half: Half
    administration: str
    place: Place
    group: str


async def settle(config: Config, roles: Sequence[str], *, adopt: bool) -> None:
    """Make sure that all of it is ours; with `adopt` it becomes ours. Raises Fatal with every problem."""
    theirs = await foreign(config, roles)
    if theirs and not adopt:
        raise Fatal("; ".join(problems(theirs)))
    moves: dict[str, Move] = {}
    for row in theirs:
        group, name, number = config.connector.group, row.administration, row.place.partition
        move = moves.setdefault(row.half.id(group, name, number), Move(row.half.id(group, name, number)))
        move.theirs.add(row.half.id(row.group, name, number))
        move.places[row.place] = row.half.key(number)
    cluster = cluster_of(config.kafka)
    with cluster.reaching():
        await asyncio.gather(*(moved(cluster, move, config.connector.group) for move in moves.values()))


def problems(theirs: Sequence[Theirs]) -> list[str]:
    """One line for each administration and deployment."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for row in theirs:
        found[row.administration, row.group][row.half.name] = None
    return [said(f"the {' and '.join(halves)} of {name}", group) for (name, group), halves in found.items()]


async def foreign(config: Config, roles: Sequence[str] = ()) -> list[Theirs]:
    """The partitions that another deployment wrote last, of both halves whatever is to be run.

    Raises Fatal; a half that may not be read is passed over, unless one of `roles` needs it.
    """
    cluster = cluster_of(config.kafka)
    with cluster.reaching():
        counts = await existing(cluster)
    found: list[Theirs] = []
    for half in HALVES:
        try:
            found += await _foreign(config, half, counts)
        except Blocked:
            if half.role in roles:
                raise
    return found


async def _foreign(config: Config, half: Half, counts: Mapping[str, int]) -> list[Theirs]:
    names = {half.topic(Topics(row.administration)): row.administration for row in config.administrations}
    places = [Place(topic, number) for topic in names for number in range(counts.get(topic, 0))]
    wanted = lambda record: record.value is not None and half.key(record.partition) in (None, record.key)  # noqa: E731
    cluster = cluster_of(config.kafka)
    with cluster.reaching():
        found = await newest(cluster, places, wanted) if places else {}
    group, theirs = config.connector.group, []
    for place, records in found.items():
        latest = {record.key: record.value for record in records}
        groups = sorted({owner(value) for value in latest.values()} - {"", group})
        theirs += [Theirs(half, names[place.topic], place, other) for other in groups]
    return theirs

"""Dead letters: what they are, which there are, and sending one of order commands again."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from connector.admin.redriving import again
from connector.errors import Reject
from connector.kafka.cluster import Cluster
from connector.kafka.reading.topic_readers import committed, extent
from connector.kafka.records import Place
from connector.kafka.writing.idempotent_producer import Producing
from connector.messages.dead_letter import LEFT_OUT, REDRIVE, SINK_STAGES, DeadLetter
from connector.messages.topics import Topics


class Later(NamedTuple):
    """What happened in a letter's partition of commands since: other commands of its key, and redrives of the letter itself."""

    commands: int = 0
    redrives: int = 0


class DeadLetters:
    """The dead letters of an administration."""

    def __init__(self, cluster: Cluster, administration: str) -> None:
        self._brokers = cluster
        self.topic = Topics(administration).dead_letters
        self._commands = Topics(administration).commands

    async def all(self) -> AsyncIterator[DeadLetter]:
        """Read the letters that there are now, in order per partition. Raises Fatal."""
        async for record in committed(self._brokers, self.topic, await extent(self._brokers, self.topic)):
            yield _letter(record)

    async def at(self, coordinates: Sequence[tuple[int, int]]) -> dict[tuple[int, int], DeadLetter]:
        """Read the letters at (partition, offset); one that is not there is left out. Raises Fatal."""
        there, spans = await extent(self._brokers, self.topic), dict[int, tuple[int, int]]()
        for partition, (start, end) in there.items():
            wanted = [offset for place, offset in coordinates if place == partition and start <= offset < end]
            if wanted:
                spans[partition] = min(wanted), max(wanted) + 1
        found = {
            (record.partition, record.offset): _letter(record) async for record in committed(self._brokers, self.topic, spans)
        }
        return {coordinate: found[coordinate] for coordinate in coordinates if coordinate in found}

    def problem(self, letter: DeadLetter) -> str:
        """Why a letter cannot be sent again; empty where it can."""
        if letter.stage not in SINK_STAGES:
            kind = f"of stage {letter.stage}" if letter.stage else "without a stage"
            return f"letter {letter.coordinate} is {kind}: `resync --from` its marker reads such items from the POS again"
        if letter.origin.topic != self._commands or min(letter.origin[1:]) < 0:
            return (
                f"letter {letter.coordinate} does not say where in {self._commands} it comes from: send the command itself again"
            )
        if b"the value" in (letter.headers.get(LEFT_OUT) or b""):
            return f"letter {letter.coordinate} was too large to keep its body: send the command itself again"
        if letter.value is None:
            return f"letter {letter.coordinate} holds no command (Kafka may have deleted it): send the command itself again"
        return ""

    async def later(self, letters: Iterable[DeadLetter]) -> dict[str, Later]:
        """What happened since, by the letters' coordinates. Raises Fatal, and Reject for a partition that does not exist."""
        there, waiting = await extent(self._brokers, self._commands), defaultdict[int, list[DeadLetter]](list)
        for letter in letters:
            if letter.origin.partition not in there:
                raise Reject(f"letter {letter.coordinate}: {self._commands} has no partition {letter.origin.partition}")
            waiting[letter.origin.partition].append(letter)
        counts = _Counts(chain.from_iterable(waiting.values()))
        spans = {place: (_first(there[place], rows), there[place][1]) for place, rows in waiting.items()}
        async for record in committed(self._brokers, self._commands, spans):
            counts.add(record)
        return counts.found

    async def redrive(self, letters: Sequence[DeadLetter]) -> AsyncIterator[tuple[DeadLetter, int]]:
        """Send letters again, one after the other, each with its new offset: bytes, key and headers as they were.

        A worker carries out what it has not carried out, as long as its ledger remembers; of what is older it only looks
        what became of it. Raises as Producing.write does.
        """
        producing = Producing(self._brokers)
        try:
            for letter in letters:
                yield letter, await self._sent(producing, letter)
        finally:
            await producing.close()

    async def _sent(self, producing: Producing, letter: DeadLetter) -> int:
        place, refusal = Place(self._commands, letter.origin.partition), Reject("")
        what = letter.key, letter.value, letter.pairs or tuple(letter.headers.items())
        for record in again(place.topic, what, letter.coordinate, letter.timestamp):
            try:
                return await producing.write(place, record, f"letter {letter.coordinate}")
            except Reject as error:  # too large: with fewer headers, then
                refusal = error
        raise refusal


def in_order(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Letters in the order in which their commands first lay in their partitions. Pure."""
    return sorted(letters, key=lambda letter: (letter.origin, letter.place, letter.offset))


def _letter(record: Any) -> DeadLetter:
    place = Place(record.topic, record.partition)
    pairs = tuple(record.headers)
    return DeadLetter(place, record.offset, record.timestamp, record.key, record.value, dict(pairs), pairs)


def _first(span: tuple[int, int], letters: Iterable[DeadLetter]) -> int:
    return max(span[0], min(letter.origin.offset for letter in letters) + 1)


class _Counts:
    def __init__(self, letters: Iterable[DeadLetter]) -> None:
        self.found: dict[str, Later] = {}
        self._of_key: dict[tuple[int, bytes | None], list[DeadLetter]] = defaultdict(list)
        for letter in letters:
            self.found[letter.coordinate] = Later()
            self._of_key[letter.origin.partition, letter.key].append(letter)

    def add(self, record: Any) -> None:
        redrive = dict(record.headers).get(REDRIVE)
        for letter in self._of_key.get((record.partition, record.key), ()):
            before = self.found[letter.coordinate]
            if redrive == letter.coordinate.encode():
                self.found[letter.coordinate] = before._replace(redrives=before.redrives + 1)
            elif redrive is None and record.offset > letter.origin.offset:
                self.found[letter.coordinate] = before._replace(commands=before.commands + 1)

"""The stages over logs in memory, with a worker that dies at any point and begins again from what was committed."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from connector.kafka.records import partition_of
from connector.messages.topics import Topics
from connector.messages.window import Window
from connector.views.batches import Source, carried, figures
from connector.views.records import InputRecord
from connector.views.stages import Stage, entity_topics, stages
from tests.support.views.histories import Made

NOW = 1_795_255_200.0
MOMENT = int(NOW * 1000)
PARTITIONS = 3
TOPICS = Topics("mplus")
ENTITIES = entity_topics("mplus", {"order", "invoice", "packingSlip"})


class Died(Exception):
    """The worker was killed."""


class Machine:
    """`logs` and `tables` survive, as Kafka does; `deaths`: the chance to die at each point where it can."""

    def __init__(self, luck: random.Random, deaths: float = 0.0, now: float = NOW) -> None:
        self.luck = luck
        self.now = now
        self.deaths = deaths
        self.logs: dict[tuple[str, int], list[InputRecord]] = defaultdict(list)
        self.tables: dict[tuple[str, int], dict[bytes, bytes]] = defaultdict(dict)
        self.committed: dict[tuple[str, int], int] = defaultdict(int)
        self.refused: list[str] = []
        self.ids: defaultdict[str, str] = defaultdict(lambda: "first")
        self._stages: tuple[Stage, ...] = stages(TOPICS, ENTITIES, lambda: now)

    def produce(self, records: Iterable[Made], timestamp: int) -> None:
        """Put records into the topics, as others do."""
        for made in records:
            self._append(f"mplus.{made.topic}", None, (made.key, made.value), timestamp, dict(made.headers))

    def make_anew(self, topic: str) -> None:
        """Somebody deletes a topic and makes one of the same name: its records and the group's offsets in it are gone."""
        for place in [place for place in self.logs if place[0] == topic]:
            del self.logs[place]
            self.committed.pop(place, None)
        self.ids[topic] += "'"

    def run(self) -> None:
        """Until nothing is left to do, however often it dies."""
        while True:
            try:
                if not any(self._batch(stage, place) for stage, place in self._shuffled()):
                    return
            except Died:
                continue

    def table(self, topic: str) -> Mapping[bytes, bytes]:
        """A table's entries of all partitions."""
        return {key: value for (name, _), rows in self.tables.items() if name == topic for key, value in rows.items()}

    def _shuffled(self) -> Iterator[tuple[Stage, tuple[str, int]]]:
        todo = [(stage, place) for stage in self._stages for place in list(self.logs) if place[0] in stage.reads]
        self.luck.shuffle(todo)
        yield from todo

    def _batch(self, stage: Stage, place: tuple[str, int]) -> bool:
        begin = self.committed[place]
        records = self.logs[place][begin : begin + self.luck.randint(1, 5)]
        if not records:
            return False
        rows = self.tables[stage.table or "", place[1]]
        batch = carried(stage.step, records, rows.get, 1 << 20)
        self.refused += [refused.reason for refused in batch.refused]
        counted = figures(TOPICS.figures, PARTITIONS, Source(*place, self.ids[place[0]]), batch.counts)
        for each in (*batch.sends, *([counted] if batch.counts else [])):
            self._append(each.topic, each.partition, (each.key, each.value), int(self.now * 1000), {})
            self._may_die()
        for key, value in batch.writes.items():
            if value is not None:
                rows[key] = value
            self._may_die()
        self.committed[place] = begin + len(records)
        return True

    def _append(
        self, topic: str, partition: int | None, record: tuple[bytes | None, bytes], at: int, headers: Mapping[str, bytes | None]
    ) -> None:
        key, value = record
        place = partition_of(key, PARTITIONS) if partition is None else partition
        log = self.logs[topic, place]
        log.append(InputRecord(topic, place, len(log), at, key, value, headers))

    def _may_die(self) -> None:
        if self.luck.random() < self.deaths:
            raise Died


def journeys(machine: Machine) -> Mapping[str, Mapping[str, Any]]:
    """All journeys, by key."""
    return {key.decode(): orjson.loads(value) for key, value in machine.table(TOPICS.journeys).items()}


def sums(machine: Machine, size: int = 3600) -> Mapping[str, tuple[int, int]]:
    """Count and cents of each measure."""
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, value in machine.table(TOPICS.windows).items():
        window, row = Window.of(key), orjson.loads(value)
        if window.size == size:
            count, amount = found[window.measure]
            found[window.measure] = (count + row["count"], amount + (row["amount"] or 0))
    return dict(found)


def ran(*records: Made, luck: random.Random | None = None, deaths: float = 0.0) -> Machine:
    """A machine that did all there is to do with these records."""
    machine = Machine(luck or random.Random(1), deaths)
    machine.produce(records, MOMENT)
    machine.run()
    return machine

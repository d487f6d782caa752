"""The topics of a deployment: their settings and partitions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from connector.config.load import Config, Connector
from connector.kafka.topics import Topic
from connector.messages.topics import Topics, work_topic
from connector.source.entities import Entity

DAY_MS = 24 * 3600 * 1000
DEAD_LETTER_ROOM_BYTES = 64 << 10
"""Bytes that a dead letter may be larger than what it holds."""

RESULT_ROOM_BYTES = 64 << 10
"""Bytes above the largest command: a result holds its key and a few bounded texts."""

CONTROL_RETENTION_DAYS = 7
"""Days: to see who asked what; a request is carried out soon, or never."""

VIEWS_RETENTION_DAYS = 30
"""Days: `views` reads what it wrote within seconds, and may be away for long."""

AUDIT_RETENTION_DAYS = 365
"""Days: proofs are asked for long after; a report is small."""

SMALL_SEGMENTS = {"segment.bytes": str(16 << 20), "segment.ms": "600000"}
"""Compaction leaves the open segment alone: small ones keep reading back short."""


ARRIVAL = {"message.timestamp.type": "LogAppendTime"}
"""A record's time is when the broker got it."""

WORK, COMMAND = "work_partitions", "command_partitions"
"""The settings that count partitions which must stay."""


def plan(config: Config, entities: Sequence[Entity]) -> list[Topic]:
    """Every topic that this configuration needs."""
    administrations = [row.administration for row in config.administrations]
    return [_work(config.connector), *chain.from_iterable(_of(name, config.connector, entities) for name in administrations)]


def _work(settings: Connector) -> Topic:
    topic = _counted(settings, work_topic(settings.group), "delete", WORK)
    return replace(topic, expendable="nothing is ever written to it")


def _of(administration: str, settings: Connector, entities: Iterable[Entity]) -> Iterable[Topic]:
    for entity in entities:
        name = Topics(administration).entity(entity.topic)
        if entity.compacted:
            yield _topic(settings, name, "compact", room=0)
        else:
            yield _aged(_topic(settings, name, "delete", room=0, more=_kept(settings.stock_retention)))
    yield _counted(settings, Topics(administration).positions, "compact", WORK, more=SMALL_SEGMENTS)
    yield _topic(settings, Topics(administration).status, "compact", partitions=1, more=SMALL_SEGMENTS)
    yield from _of_control(administration, settings)
    yield from _of_commands(administration, settings)
    yield from _of_views(administration, settings)
    kept = _kept(settings.dead_letters_retention)
    yield _aged(_topic(settings, Topics(administration).dead_letters, "delete", room=DEAD_LETTER_ROOM_BYTES, more=kept))


def _of_control(administration: str, settings: Connector) -> Iterable[Topic]:
    """A request's age is counted from when the broker got it."""
    kept = _kept(CONTROL_RETENTION_DAYS)
    control = _topic(settings, Topics(administration).control, "delete", partitions=1, fixed=True, more=ARRIVAL | kept)
    yield replace(control, expendable="a request is carried out soon, or never")
    yield _aged(_topic(settings, Topics(administration).control_results, "delete", partitions=1, more=kept))
    yield _aged(_topic(settings, Topics(administration).audits, "delete", partitions=1, more=_kept(AUDIT_RETENTION_DAYS)))


def _of_commands(administration: str, settings: Connector) -> Iterable[Topic]:
    """The time of a command is when the broker got it: producers' clocks must not decide what is forgotten."""
    arrival = ARRIVAL | {"segment.ms": str(DAY_MS)} | _kept(settings.commands_retention)
    yield _counted(settings, Topics(administration).commands, "delete", COMMAND, room=0, more=arrival)
    count, kept = settings.command_partitions, _kept(settings.results_retention)
    yield _aged(_topic(settings, Topics(administration).results, "delete", partitions=count, room=RESULT_ROOM_BYTES, more=kept))
    kept = SMALL_SEGMENTS | _kept(settings.ledger_retention)
    yield _counted(settings, Topics(administration).ledger, "compact,delete", COMMAND, room=ledger_room(settings), more=kept)


def _aged(topic: Topic) -> Topic:
    """What it holds is deleted by the broker's clock, not by that of the worker that wrote it; a topic that is there stays."""
    needs = tuple(name for name in topic.needs if name not in ARRIVAL)
    return replace(topic, settings={**topic.settings, **ARRIVAL}, needs=needs)


def ledger_room(settings: Connector) -> int:
    """Bytes above the largest command that a ledger entry may have: of an order it holds what was before, and of a command
    that ended unknown also the result.
    """
    return settings.max_event_bytes + RESULT_ROOM_BYTES


def sink_limits(administration: str, settings: Connector) -> dict[str, int]:
    """Bytes of the largest batch that each topic takes that the sink writes to."""
    topics = Topics(administration)
    rooms = {topics.results: RESULT_ROOM_BYTES, topics.ledger: ledger_room(settings), topics.dead_letters: DEAD_LETTER_ROOM_BYTES}
    return {topic: settings.max_event_bytes + room for topic, room in rooms.items()}


def _of_views(administration: str, settings: Connector) -> Iterable[Topic]:
    """All with as many partitions as the commands: one worker has the same partitions of all."""
    topics = Topics(administration)
    for name in (topics.by_document, topics.by_journey, topics.figures):
        yield _of_all_commands(settings, name, "delete", _kept(VIEWS_RETENTION_DAYS))
    for name in (topics.documents, topics.journeys, topics.windows):
        yield _of_all_commands(settings, name, "compact", SMALL_SEGMENTS)


def _of_all_commands(settings: Connector, name: str, policy: str, more: dict[str, str]) -> Topic:
    return _counted(settings, name, policy, COMMAND, room=DEAD_LETTER_ROOM_BYTES, more=more)


def _counted(settings: Connector, name: str, policy: str, what: str, **more: Any) -> Topic:
    """One whose partitions stay as the setting says that counts them."""
    topic = _topic(settings, name, policy, partitions=getattr(settings, what), fixed=True, **more)
    return replace(topic, counted=f"CONNECTOR_{what.upper()}")


def _topic(
    settings: Connector,
    name: str,
    policy: str,
    *,
    partitions: int | None = None,
    fixed: bool = False,
    room: int | None = None,
    more: dict[str, str] | None = None,
) -> Topic:
    given = {"cleanup.policy": policy, "min.insync.replicas": str(settings.min_insync_replicas), **(more or {})}
    if room is not None:
        given["max.message.bytes"] = str(settings.max_event_bytes + room)
    return Topic(name, partitions or settings.partitions, settings.replication, given, fixed_partitions=fixed)


def _kept(days: int) -> dict[str, str]:
    return {"retention.ms": "-1" if days < 0 else str(days * DAY_MS), "retention.bytes": "-1"}

"""Whether an entity's topic, and what is asked of the POS, is still what its position speaks of. Pure."""

from collections.abc import Sequence

from connector.kafka.records import Record
from connector.messages.position import Position, TopicFacts

WAY_OUT = "make it again as it was if need be, and publish everything anew with `resync {entity} --from 0`"


def lost(topic: str, entity: str, position: Position, now: TopicFacts | None) -> str:
    """What is wrong with the topic as it is now (None: it is not there); empty when nothing is."""
    wrong = _wrong(position.topic, position.marker, now)
    return f"topic {topic} {wrong}: {WAY_OUT.format(entity=entity)}" if wrong else ""


def _wrong(known: TopicFacts | None, marker: int, now: TopicFacts | None) -> str:
    held = known.end > 0 if known is not None else marker > 0
    if now is None:
        return f"is gone, and its position is {marker}" if held else ""
    if known is None:
        return f"is empty, and its position is {marker}" if held and now.end == 0 else ""
    if now.partitions != known.partitions:
        return f"has {now.partitions} partitions and was written with {known.partitions}, so a key would lie in two of them"
    if now.end < known.end:
        return f"was emptied, cut or made anew: it ends before what was published up to position {marker}"
    return ""


def passed_over(read: tuple[str, ...] | None, asked: tuple[str, ...] | None) -> bool:
    """Whether CONNECTOR_ORDER_TYPES was widened: what was not asked for lies below the position, and is never read."""
    if read is None or asked is None or read == asked:
        return False
    return not read or not asked or not set(asked) <= set(read)


def written(known: TopicFacts | None, topic: str, records: Sequence[Record]) -> TopicFacts | None:
    """What is known of the topic once these records are in it."""
    count = sum(record.topic == topic for record in records)
    return known._replace(end=known.end + count) if known is not None and count else known

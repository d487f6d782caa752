"""The stages that records pass through, each a pure step from a record and a table's entries to what follows.

    entity topics, commands, results → intake → by document → documents → by journey → journeys
                                          └──────── figures ────────┘→ windows

A record's sends are acknowledged before its table entries are written, and those before its offset is committed: a worker
that dies in between does it all again, with the same outcome.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from connector.messages.cloudevents import CE_ORIGIN, CE_TYPE, REPUBLISHED
from connector.messages.loose_json import object_in
from connector.messages.topics import Topics
from connector.source.entities import ENTITIES
from connector.views import facts
from connector.views.fold import folded, highest, upgraded
from connector.views.projection import journey
from connector.views.records import (
    NOTHING,
    Get,
    InputRecord,
    Json,
    Measurement,
    OutputRecord,
    StageResult,
    milliseconds,
)
from connector.views.windows import Booked, WindowSource, counted, moved

ORDERED, INVOICED = "ordered", "invoiced"
AHEAD_MS = 24 * 3600 * 1000
"""Milliseconds that a document may be dated ahead of its record: a till whose date is wrong dates it in no hour that is shown."""
Step = Callable[[InputRecord, Get], StageResult]


@dataclass(frozen=True, slots=True)
class Stage:
    """What is read, what is done with each record, and the table whose entries that reads and writes."""

    name: str
    reads: tuple[str, ...]
    step: Step
    table: str | None = None


def stages(topics: Topics, entities: Mapping[str, str], now: Callable[[], float]) -> tuple[Stage, ...]:
    """All of an administration; `entities`: those that are read, by their topic; `now` in seconds of the epoch."""
    sources = (*entities, topics.commands, topics.results)
    return (
        Stage("intake", sources, partial(intake, topics, entities)),
        Stage("documents", (topics.by_document,), partial(documents, topics), topics.documents),
        Stage("journeys", (topics.by_journey,), journeys, topics.journeys),
        Stage("windows", (topics.figures,), partial(figures, now), topics.windows),
    )


def intake(topics: Topics, entities: Mapping[str, str], record: InputRecord, _: Get) -> StageResult:
    """A change, a command or a result: what it says goes to where it is folded."""
    if record.value is None:
        return NOTHING  # a tombstone: the `.deleted` event before it was counted
    if record.topic == topics.commands:
        return _sent_on(topics, record, facts.command_fact(record))
    if record.topic == topics.results:
        return _ended(topics, record)
    entity = entities[record.topic]
    what = "republished" if record.header(CE_ORIGIN) in REPUBLISHED else "changes"
    observed = Measurement(record.offset, record.timestamp, f"{what}.{entity}")
    deleted = record.header(CE_TYPE).endswith(b".deleted")
    said = () if deleted or entity not in SAID else SAID[entity](topics, record)
    return StageResult(said, (observed,))


def _sent_on(topics: Topics, record: InputRecord, fact: Json | None) -> StageResult:
    """To its order. A key that no order can be called by is nobody's."""
    if fact is None or record.key is None or not _a_name(record.key):
        return NOTHING
    return StageResult((OutputRecord(topics.by_journey, record.key, orjson.dumps(fact)),))


def _a_name(key: bytes) -> bool:
    try:
        return 0 < len(key) <= 4 * facts.NAME_CHARS_MAX and len(key.decode()) <= facts.NAME_CHARS_MAX
    except UnicodeDecodeError:
        return False


def _ended(topics: Topics, record: InputRecord) -> StageResult:
    fact = facts.result_fact(record)
    measure = f"commands.{fact['command']}.{fact['outcome']}"
    observed = () if fact["duplicate"] else (Measurement(record.offset, record.timestamp, measure),)
    return StageResult(_sent_on(topics, record, fact).sends, observed)


def _order(topics: Topics, record: InputRecord) -> tuple[OutputRecord, ...]:
    fact = facts.order_fact(record)
    return (_about(topics, "order", fact["orderId"], fact),)


def _slip(topics: Topics, record: InputRecord) -> tuple[OutputRecord, ...]:
    return tuple(_about(topics, "order", order_id, fact) for order_id, fact in facts.slip_facts(record))


def _invoice(topics: Topics, record: InputRecord) -> tuple[OutputRecord, ...]:
    """One for each of its orders, and one for the revenue: that counts an invoice once."""
    revenue = facts.revenue_fact(record)
    own = _about(topics, "invoice", revenue["id"], revenue)
    return (own, *(_about(topics, "order", order_id, fact) for order_id, fact in facts.invoice_facts(record)))


def _about(topics: Topics, kind: str, identity: str, fact: Json) -> OutputRecord:
    return OutputRecord(topics.by_document, f"{kind}:{identity}".encode(), orjson.dumps(fact))


SAID = {"order": _order, "packingSlip": _slip, "invoice": _invoice}


def documents(topics: Topics, record: InputRecord, get: Get) -> StageResult:
    """Gives facts about an order the journey's key, which only the order's own record tells; until it came they wait."""
    fact, known = record.document(), _known(get(record.name))
    if fact["fact"] == "order":
        return _keyed(topics, record, known, fact)
    if fact["fact"] == "revenue":
        return _invoiced(topics, record, known, fact)
    if (key := known.get("key")) is not None:
        return StageResult((OutputRecord(topics.by_journey, key.encode(), orjson.dumps(fact)),))
    waiting = known.get("waiting", {})
    name = f"{fact['fact']}:{fact['id']}"
    latest = max((waiting.get(name, fact), fact), key=lambda each: each["rank"])
    return StageResult(writes={record.name: orjson.dumps({**known, "waiting": highest({**waiting, name: latest})})})


def _invoiced(topics: Topics, record: InputRecord, known: Json, fact: Json) -> StageResult:
    """The revenue of an invoice; and orders that its highest record names no more are told so."""
    before, after = {"orders": [], "rank": [], **known}, {"orders": [], **fact}
    lower, higher = sorted((before, after), key=lambda row: row["rank"])
    gone = [order_id for order_id in lower["orders"] if order_id not in higher["orders"]]
    last = {**fact, "rank": higher["rank"]}
    sends = tuple(_about(topics, "order", order_id, facts.withdrawn(last, order_id)) for order_id in gone)
    return _booked(record, {**known, "orders": higher["orders"]}, fact, INVOICED)._replace(sends=sends)


def _known(stored: bytes | None) -> Json:
    """What the table has of a document; nothing where somebody else wrote it: it must not hold up the document's records."""
    found = object_in(stored)
    waiting = found.get("waiting", {})
    ranks = [found.get("rank", []), *(each.get("rank") for each in waiting.values())] if _facts(waiting) else [None]
    named = found.get("orders", [])
    good = all(map(_integers, ranks)) and isinstance(found.get("key", ""), str) and isinstance(named, list)
    placed = all(
        row is None or (_integers(row) and len(row) == len(("ms", "cents"))) for row in (found.get("booked"), found.get("aside"))
    )
    return found if good and placed and all(isinstance(each, str) for each in named) else {}


def _integers(row: object) -> bool:
    return isinstance(row, list) and all(isinstance(each, int) for each in row)


def _facts(rows: object) -> bool:
    return isinstance(rows, dict) and all(isinstance(each, dict) for each in rows.values())


def _keyed(topics: Topics, record: InputRecord, known: Json, fact: Json) -> StageResult:
    key = fact["extOrderId"] or fact["orderId"]
    told = [fact, *known.get("waiting", {}).values()]
    sends = tuple(OutputRecord(topics.by_journey, key.encode(), orjson.dumps(each)) for each in told)
    rest = {"key": key, **{name: value for name, value in known.items() if name != "waiting"}}
    return _booked(record, rest, {**fact, "key": key}, ORDERED)._replace(sends=sends)


def _booked(record: InputRecord, known: Json, fact: Json, measure: str) -> StageResult:
    """The revenue as the highest record of a document has it."""
    if known.get("rank", []) >= fact["rank"]:
        return StageResult(writes={record.name: orjson.dumps(known)})
    booked = None if fact["cancelled"] else _placed(fact, record)
    before = known.get("aside")
    aside = (before or [record.timestamp, 0]) if booked is None and not fact["cancelled"] else None
    now = {**known, "rank": fact["rank"], "booked": booked, "aside": aside} | ({"key": fact["key"]} if "key" in fact else {})
    observed = moved(known.get("booked"), booked, f"revenue.{measure}", record.offset)
    observed += moved(before, aside, f"aside.{measure}", record.offset)
    return StageResult((), observed, {record.name: orjson.dumps(now)})


def _placed(fact: Json, record: InputRecord) -> Booked:
    """When and how much; None for what is put aside: it tells no moment or no amount, or one of the days to come."""
    moment, amount = milliseconds(fact["entered"]), fact["total"]
    if moment is None or amount is None or moment > record.timestamp + AHEAD_MS:
        return None
    return [moment, amount]


def journeys(record: InputRecord, get: Get) -> StageResult:
    """Folds a fact into its journey. One that somebody else wrote there, or that nobody can show, begins anew."""
    fact, name = record.document(), record.name.decode()
    stored = get(record.name)
    before = object_in(stored).get("facts")
    try:
        after = journey(name, folded(before, fact))
    except Exception:
        alone = journey(name, folded(None, fact))  # raises where it is the fact that is wrong
        if before is None or _shows(name, before):
            raise
        after = alone
    written = orjson.dumps(after)
    return NOTHING if written == stored else StageResult(writes={record.name: written})


def _shows(name: str, kept: Any) -> bool:
    try:
        return bool(journey(name, upgraded(kept)))
    except Exception:  # whatever is wrong with it
        return False


def figures(now: Callable[[], float], record: InputRecord, get: Get) -> StageResult:
    """Counts what a batch of an earlier stage observed."""
    told = record.document()
    observed = [Measurement(*row) for row in told["rows"]]
    source = WindowSource(told["partition"], str(told.get("topic") or ""))
    return StageResult(writes=dict(counted(observed, source, get, now())))


def entity_topics(administration: str, chosen: Collection[str]) -> Mapping[str, str]:
    """The entity of each topic, of those chosen."""
    return {Topics(administration).entity(entity.topic): entity.name for entity in ENTITIES if entity.name in chosen}

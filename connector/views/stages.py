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

from connector.source.entities import ENTITIES
from connector.views import facts
from connector.views.fold import folded, highest
from connector.views.projection import journey
from connector.views.records import NOTHING, Arrival, Get, Json, Observation, Outcome, Outgoing, milliseconds, object_in
from connector.views.windows import Booked, counted, moved

ORDERED, INVOICED = "revenue.ordered", "revenue.invoiced"
Step = Callable[[Arrival, Get], Outcome]


@dataclass(frozen=True, slots=True)
class Topics:
    """An administration's topics, by what they are for. `partitions`: of those between the stages and of the tables."""

    administration: str
    commands: str
    results: str
    by_document: str
    by_journey: str
    figures: str
    documents: str
    journeys: str
    windows: str
    partitions: int


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


def intake(topics: Topics, entities: Mapping[str, str], arrival: Arrival, _: Get) -> Outcome:
    """A change, a command or a result: what it says goes to where it is folded."""
    if arrival.value is None:
        return NOTHING  # a tombstone: the `.deleted` event before it was counted
    if arrival.topic == topics.commands:
        return _sent_on(topics, arrival, facts.command_fact(arrival))
    if arrival.topic == topics.results:
        return _ended(topics, arrival)
    entity = entities[arrival.topic]
    observed = Observation(arrival.offset, arrival.timestamp, f"changes.{entity}")
    deleted = arrival.header("ce_type").endswith(b".deleted")
    said = () if deleted or entity not in SAID else SAID[entity](topics, arrival)
    return Outcome(said, (observed,))


def _sent_on(topics: Topics, arrival: Arrival, fact: Json | None) -> Outcome:
    """To its order. A key that no order can be called by is nobody's."""
    if fact is None or arrival.key is None or not _a_name(arrival.key):
        return NOTHING
    return Outcome((Outgoing(topics.by_journey, arrival.key, orjson.dumps(fact)),))


def _a_name(key: bytes) -> bool:
    try:
        return 0 < len(key) <= 4 * facts.LONGEST_NAME and len(key.decode()) <= facts.LONGEST_NAME
    except UnicodeDecodeError:
        return False


def _ended(topics: Topics, arrival: Arrival) -> Outcome:
    fact = facts.result_fact(arrival)
    measure = f"commands.{fact['command']}.{fact['outcome']}"
    observed = () if fact["duplicate"] else (Observation(arrival.offset, arrival.timestamp, measure),)
    return Outcome(_sent_on(topics, arrival, fact).sends, observed)


def _order(topics: Topics, arrival: Arrival) -> tuple[Outgoing, ...]:
    fact = facts.order_fact(arrival)
    return (_about(topics, "order", fact["orderId"], fact),)


def _slip(topics: Topics, arrival: Arrival) -> tuple[Outgoing, ...]:
    return tuple(_about(topics, "order", order_id, fact) for order_id, fact in facts.slip_facts(arrival))


def _invoice(topics: Topics, arrival: Arrival) -> tuple[Outgoing, ...]:
    """One for each of its orders, and one for the revenue: that counts an invoice once."""
    revenue = facts.revenue_fact(arrival)
    own = _about(topics, "invoice", revenue["id"], revenue)
    return (own, *(_about(topics, "order", order_id, fact) for order_id, fact in facts.invoice_facts(arrival)))


def _about(topics: Topics, kind: str, identity: str, fact: Json) -> Outgoing:
    return Outgoing(topics.by_document, f"{kind}:{identity}".encode(), orjson.dumps(fact))


SAID = {"order": _order, "packingSlip": _slip, "invoice": _invoice}


def documents(topics: Topics, arrival: Arrival, get: Get) -> Outcome:
    """Gives facts about an order the journey's key, which only the order's own record tells; until it came they wait."""
    fact, known = arrival.document(), _known(get(arrival.name))
    if fact["fact"] == "order":
        return _keyed(topics, arrival, known, fact)
    if fact["fact"] == "revenue":
        return _booked(arrival, known, fact, INVOICED)
    if (key := known.get("key")) is not None:
        return Outcome((Outgoing(topics.by_journey, key.encode(), orjson.dumps(fact)),))
    waiting = known.get("waiting", {})
    name = f"{fact['fact']}:{fact['id']}"
    latest = max((waiting.get(name, fact), fact), key=lambda each: each["rank"])
    return Outcome(writes={arrival.name: orjson.dumps({**known, "waiting": highest({**waiting, name: latest})})})


def _known(stored: bytes | None) -> Json:
    """What the table has of a document; nothing where somebody else wrote it: it must not hold up the document's records."""
    found = object_in(stored)
    waiting = found.get("waiting", {})
    ranks = [found.get("rank", []), *(each.get("rank") for each in waiting.values())] if _facts(waiting) else [None]
    good = all(map(_integers, ranks)) and isinstance(found.get("key", ""), str)
    booked = found.get("booked")
    return found if good and (booked is None or (_integers(booked) and len(booked) == len(("ms", "cents")))) else {}


def _integers(row: object) -> bool:
    return isinstance(row, list) and all(isinstance(each, int) for each in row)


def _facts(rows: object) -> bool:
    return isinstance(rows, dict) and all(isinstance(each, dict) for each in rows.values())


def _keyed(topics: Topics, arrival: Arrival, known: Json, fact: Json) -> Outcome:
    key = fact["extOrderId"] or fact["orderId"]
    told = [fact, *known.get("waiting", {}).values()]
    sends = tuple(Outgoing(topics.by_journey, key.encode(), orjson.dumps(each)) for each in told)
    rest = {"key": key, **{name: value for name, value in known.items() if name != "waiting"}}
    return _booked(arrival, rest, {**fact, "key": key}, ORDERED)._replace(sends=sends)


def _booked(arrival: Arrival, known: Json, fact: Json, measure: str) -> Outcome:
    """The revenue as the highest record of a document has it."""
    if known.get("rank", []) >= fact["rank"]:
        return Outcome(writes={arrival.name: orjson.dumps(known)})
    moment, amount = milliseconds(fact["entered"]), fact["total"]
    booked: Booked = None if moment is None or amount is None or fact["cancelled"] else [moment, amount]
    now = {**known, "rank": fact["rank"], "booked": booked} | ({"key": fact["key"]} if "key" in fact else {})
    observed = moved(known.get("booked"), booked, measure, arrival.offset)
    return Outcome((), observed, {arrival.name: orjson.dumps(now)})


def journeys(arrival: Arrival, get: Get) -> Outcome:
    """Folds a fact into its journey. One that somebody else wrote there, or that nobody can show, begins anew."""
    fact, name = arrival.document(), arrival.name.decode()
    before = object_in(get(arrival.name)).get("facts")
    try:
        after = journey(name, folded(before, fact))
    except Exception:
        if before is None or _shows(name, before):
            raise
        after = journey(name, folded(None, fact))
    return Outcome(writes={arrival.name: orjson.dumps(after)})


def _shows(name: str, kept: Any) -> bool:
    try:
        return bool(journey(name, kept))
    except Exception:  # whatever is wrong with it
        return False


def figures(now: Callable[[], float], arrival: Arrival, get: Get) -> Outcome:
    """Counts what a batch of an earlier stage observed."""
    told = arrival.document()
    observed = [Observation(*row) for row in told["rows"]]
    return Outcome(writes=dict(counted(observed, told["partition"], get, now())))


def entity_topics(administration: str, chosen: Collection[str]) -> Mapping[str, str]:
    """The entity of each topic, of those chosen."""
    return {f"{administration}.{entity.topic}": entity.name for entity in ENTITIES if entity.name in chosen}

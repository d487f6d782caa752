"""An order's journey: the fold of its facts. Pure.

Facts come more than once and in any order (Kafka keeps order per partition only, and a worker that died repeats what it did),
so folding is idempotent and commutative: of each thing the fact of the highest rank is kept, and everything that a journey
shows is computed from what is kept. That is bounded: a producer that tries again and again must not make each further record
of its order dearer, and the journey at last too large for its topic.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from connector.views.facts import DOCUMENTS_MAX
from connector.views.order_state import CREATE
from connector.views.records import Json, milliseconds

Kept = dict[str, Any]
"""`order`: its last record; `seen`: by step, the lowest rank that showed it, and when; `slips`, `invoices` by id;
`commands`, `results` by commandId; `left`: by these names, what was left out; `version`: of all this."""

VERSION = 2
"""The version of what is kept. What an earlier one kept is completed when it is read: see `upgraded`."""

COMMANDS_MAX = 50
"""Commands of an order, and results: the newest, and the createOrder."""

BEFORE = -1
"""The place of what an earlier version kept."""


def folded(kept: Kept | None, fact: Json) -> Kept:
    """What is kept after one more fact."""
    return {**FOLDS[fact["fact"]](upgraded(kept or {}), _completed(fact)), "version": VERSION}


def upgraded(kept: Kept) -> Kept:
    """What is kept, as this version keeps it: an earlier one did not know what documents an order names, and so on."""
    version = kept.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool):
        raise TypeError("not a journey of ours")
    if not kept or version >= VERSION:
        return kept
    found: Kept = {name: value for name, value in kept.items() if name != "latest"}
    if "order" in found:
        order = found["order"] = _completed(found["order"])
        found["seen"] = {step: [*order["rank"], order["at"]] for step in shown(order)} | found["seen"]
    for name in {"slips", "invoices", "results"} & found.keys():
        found[name] = {each: _completed(row) for each, row in found[name].items()}
    return found


SINCE_2: Mapping[str, Json] = {
    "order": {"slips": None, "invoices": None, "partlyCancelled": False},
    "slip": {"orderId": None},
    "invoice": {"orderId": None, "orders": None, "handled": True},
    "result": {"refuses": False},
}
"""What facts of version 1 did not tell, in tables and in the inner topics: nobody knows over how many orders an invoice was."""


def _completed(fact: Json) -> Json:
    added = SINCE_2.get(fact["fact"], {})
    return {**added, **fact, "old": True} if added.keys() - fact.keys() else fact


def _order(kept: Kept, fact: Json) -> Kept:
    known = kept.get("order")
    seen = dict(kept.get("seen", {}))
    for step in shown(fact):
        seen[step] = min([*fact["rank"], fact["at"]], seen.get(step, [*fact["rank"], fact["at"]]))
    return {**kept, "order": _higher(known, fact), "seen": seen}


def shown(order: Json) -> list[str]:
    """The steps that an order's record shows by itself."""
    payments = [f"payment {row['id'] or place}" for place, row in enumerate(order["payments"])]
    states = [name for name in ("fullyPaid", "delivered", "cancelled", "partlyCancelled") if order[name]]
    return ["created", *payments, *states, *(["prepaid"] if order["paid"] else [])]


def _slip(kept: Kept, fact: Json) -> Kept:
    return _by_id(kept, "slips", fact)


def _invoice(kept: Kept, fact: Json) -> Kept:
    return _by_id(kept, "invoices", fact)


def _by_id(kept: Kept, name: str, fact: Json) -> Kept:
    rows = kept.get(name, {})
    after = {**rows, fact["id"]: _higher(rows.get(fact["id"]), fact)}
    if len(after) <= DOCUMENTS_MAX:
        return {**kept, name: after}
    return {**kept, name: highest(after), "left": {**kept.get("left", {}), name: True}}


def highest(rows: Mapping[str, Json]) -> dict[str, Json]:
    """Documents' facts of the highest rank, as many as are kept."""
    names = sorted(rows, key=lambda name: (rows[name]["rank"], name))
    return {name: rows[name] for name in names[-DOCUMENTS_MAX:]}


def _command(kept: Kept, fact: Json) -> Kept:
    """The same commandId again is the same command: it counts from the first time on."""
    rows, name = kept.get("commands", {}), fact["commandId"]
    first = min((row for row in (rows.get(name), fact) if row), key=lambda row: (_instant(row["at"]), _canonical(row)))
    return _newest(kept, "commands", {**rows, name: first}, fact, min)


def _result(kept: Kept, fact: Json) -> Kept:
    """The last result, as they lie in Kafka, that is no repetition: one that was redriven ends once more.

    A refusal of another message under the same commandId says nothing of the command.
    """
    rows, name = kept.get("results", {}), fact["commandId"]
    last = max(
        (row for row in (rows.get(name), fact) if row),
        key=lambda row: (not row["duplicate"], not row["refuses"], _place(row), _instant(row["at"]), _canonical(row)),
    )
    return _newest(kept, "results", {**rows, name: last}, fact, max)


def _newest(kept: Kept, name: str, rows: Mapping[str, Json], fact: Json, which: Callable[..., str]) -> Kept:
    """The last of them as they lie in Kafka, and `which` createOrder tells how the order began: the first, or the last result.

    In `left` stands how many are not among them, and the place up to which there are such: what is read again counts once.
    """
    count, upto = kept.get("left", {}).get(name, (0, BEFORE - 1))
    if fact["commandId"] not in kept.get(name, {}) and _place(fact) <= upto:
        return kept
    if len(rows) <= COMMANDS_MAX:
        return {**kept, name: rows}
    created = [each for each, row in rows.items() if row["command"] == CREATE]
    spared = which(created, key=lambda each: (_instant(rows[each]["at"]), each)) if created else ""
    ordered = sorted((each for each in rows if each != spared), key=lambda each: (_place(rows[each]), each))
    gone = ordered[: len(rows) - COMMANDS_MAX]
    left = [count + len(gone), max(upto, *(_place(rows[each]) for each in gone))]
    return {
        **kept,
        name: {each: row for each, row in rows.items() if each not in gone},
        "left": {**kept.get("left", {}), name: left},
    }


def _place(fact: Json) -> int:
    found: int = fact.get("place", BEFORE)
    return found


FOLDS = {"order": _order, "slip": _slip, "invoice": _invoice, "command": _command, "result": _result}


def _higher(known: Json | None, fact: Json) -> Json:
    if known is None:
        return fact
    # Told again, by a resync say, it is no news: it happened when it was told first.
    return max(known, fact, key=lambda row: (row["rank"], "old" not in row, -_instant(row["at"]), _canonical(row)))


def _canonical(fact: Mapping[str, Any]) -> bytes:
    """Decides between facts that are otherwise equal, so that it does not matter which came first."""
    return orjson.dumps(fact, option=orjson.OPT_SORT_KEYS)


def _instant(moment: object) -> int:
    return milliseconds(moment) or 0

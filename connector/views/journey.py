"""An order's journey: the fold of its facts. Pure.

Facts come more than once and in any order (Kafka keeps order per partition only, and a worker that died repeats what it did),
so folding is idempotent and commutative: of each thing the fact of the highest rank is kept, and everything that a journey
shows is computed from what is kept.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from connector.views.arrivals import Json, milliseconds

Kept = dict[str, Any]
"""`order`: its last record; `seen`: by step, the lowest rank that showed it, and when; `slips`, `invoices` by id;
`commands`, `results` by commandId; `latest`: when the last of them happened."""


def folded(kept: Kept | None, fact: Json) -> Kept:
    """What is kept after one more fact."""
    before = kept or {}
    after = FOLDS[fact["fact"]](before, fact)
    return {**after, "latest": _later(before.get("latest"), fact["at"])}


def _order(kept: Kept, fact: Json) -> Kept:
    known = kept.get("order")
    seen = dict(kept.get("seen", {}))
    for step in shown(fact):
        seen[step] = min([*fact["rank"], fact["at"]], seen.get(step, [*fact["rank"], fact["at"]]))
    return {**kept, "order": _higher(known, fact), "seen": seen}


def shown(order: Json) -> list[str]:
    """The steps that an order's record shows by itself."""
    payments = [f"payment {row['id'] or place}" for place, row in enumerate(order["payments"])]
    states = [name for name in ("fullyPaid", "cancelled") if order[name]]
    return ["created", *payments, *states, *(["prepaid"] if order["paid"] else [])]


def _slip(kept: Kept, fact: Json) -> Kept:
    return _by_id(kept, "slips", fact)


def _invoice(kept: Kept, fact: Json) -> Kept:
    return _by_id(kept, "invoices", fact)


def _by_id(kept: Kept, name: str, fact: Json) -> Kept:
    rows = kept.get(name, {})
    return {**kept, name: {**rows, fact["id"]: _higher(rows.get(fact["id"]), fact)}}


def _command(kept: Kept, fact: Json) -> Kept:
    """The same commandId again is the same command: it counts from the first time on."""
    rows, name = kept.get("commands", {}), fact["commandId"]
    first = min((row for row in (rows.get(name), fact) if row), key=lambda row: (_instant(row["at"]), _canonical(row)))
    return {**kept, "commands": {**rows, name: first}}


def _result(kept: Kept, fact: Json) -> Kept:
    """The last result that is no repetition: one that was redriven ends once more."""
    rows, name = kept.get("results", {}), fact["commandId"]
    last = max(
        (row for row in (rows.get(name), fact) if row),
        key=lambda row: (not row["duplicate"], _instant(row["at"]), _canonical(row)),
    )
    return {**kept, "results": {**rows, name: last}}


FOLDS = {"order": _order, "slip": _slip, "invoice": _invoice, "command": _command, "result": _result}


def _higher(known: Json | None, fact: Json) -> Json:
    if known is None:
        return fact
    return max(known, fact, key=lambda row: (row["rank"], _instant(row["at"]), _canonical(row)))


def _canonical(fact: Mapping[str, Any]) -> bytes:
    """Decides between facts that are otherwise equal, so that it does not matter which came first."""
    return orjson.dumps(fact, option=orjson.OPT_SORT_KEYS)


def _later(one: str | None, other: str) -> str:
    return other if one is None else max(one, other, key=lambda moment: (_instant(moment), moment))


def _instant(moment: object) -> int:
    return milliseconds(moment) or 0

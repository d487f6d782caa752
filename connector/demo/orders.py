"""What the webshop commanded against the results in Kafka, what was done at the POS, and the journeys. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connector.demo.customers import Effect
from connector.demo.webshop import Said

Row = Mapping[str, Any]
AMOUNTS = ("created", "paid", "invoiced", "updated")
"""Effects whose amount counts."""


def wrong(said: Sequence[Said], results: Iterable[Row], effects: Iterable[Row]) -> list[str]:
    """A line for each command without its result, or with another one, and for each order to which something else was done."""
    return [*_untold(said, results), *_otherwise_done(said, effects)]


def _untold(said: Sequence[Said], results: Iterable[Row]) -> Iterator[str]:
    """One result for each command, which is the wanted one, and the same again for each time it was sent again."""
    told: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for row in results:
        told[row["commandId"]].append((row["outcome"], row["duplicate"]))
    for each in said:
        name, outcome = each.step.command["commandId"], each.step.outcome
        if (found := told.pop(name, [])) != [(outcome, number > 0) for number in range(each.sent)]:
            results_found = ", ".join(f"{what}{' (duplicate)' * copy}" for what, copy in found) or "none"
            yield f"command {name} ({each.step.word}), sent {each.sent} times, must be {outcome}; results: {results_found}"
    yield from (f"a result of {name}, which nobody sent" for name in told)


def _otherwise_done(said: Sequence[Said], effects: Iterable[Row]) -> Iterator[str]:
    """To each order just what its commands do, once and in their order."""
    wanted, found = defaultdict[str, list[Effect]](list), defaultdict[str, list[Effect]](list)
    for each in said:
        wanted[order_of(each)] += each.step.effects
    for row in effects:
        found[row["extOrderId"]].append(Effect(row["effect"], row["amount"] if row["effect"] in AMOUNTS else None))
    for order in sorted(wanted.keys() | found.keys()):
        if wanted[order] != found[order]:
            yield f"order {order}: {_words(wanted[order])} was commanded, {_words(found[order])} was done"


def order_of(said: Said) -> str:
    """The extOrderId of the order that a step is about."""
    command = said.step.command
    return str(command.get("order", command)["extOrderId"])


def state_of(order: Row | None, *, cancelled: bool = False) -> str:
    """The state that the journey of an order must have which the POS shows so; None: it has no such order."""
    if order is None:
        return "rejected"
    if cancelled:
        return "cancelled"
    if order["fullyPaid"] and order["prepaidAmount"]:
        return "paid"
    if order["invoiceIds"]["id"]:
        return "invoiced"
    if order["packingSlipIds"]["id"]:
        return "delivered"
    return "deposit" if order["prepaidAmount"] else "created"


def astray(journeys: Mapping[str, Row], states: Mapping[str, str]) -> list[str]:
    """A line for each order whose journey is in another state than the POS has it in."""
    told = {order: journeys[order]["state"] if order in journeys else "nothing" for order in states}
    wrong_ones = [order for order, state in states.items() if told[order] != state]
    return [f"order {order}: its journey says {told[order]}, the POS {states[order]}" for order in wrong_ones]


def tally(said: Sequence[Said]) -> dict[str, Counter[str]]:
    """Counts by command: sent (copies too), succeeded, rejected, unknown, repeated (copies answered), and still in flight."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for each in said:
        row = rows[each.step.command["command"]]
        row.update(sent=each.sent, flight=each.sent - len(each.results))
        row.update("repeated" if result.duplicate else result.outcome for result in each.results)
    return dict(rows)


def _words(effects: Sequence[Effect]) -> str:
    return ", ".join(kind if amount is None else f"{kind} {amount / 100:.2f}" for kind, amount in effects) or "nothing"

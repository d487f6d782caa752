"""What became of order commands: the shop's effects, the results, the ledger and the offsets, against what was commanded."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from connector.sandbox import Sandbox
from connector.sandbox.order_operations.outcomes import order_by_ext_id
from tests.e2e.orders import Effect, Step
from tests.support.kafka.reading import read_topics
from tests.support.kafka.topics import admin, end_offsets

Row = Mapping[str, Any]
Orders = Mapping[str, Sequence[Step]]
"""By extOrderId, what was commanded."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, one line each, and how much there was to look at."""

    problems: Sequence[str]
    commands: int
    effects: int
    reconciled: int
    repeated: int
    """Commands that took more than one call."""
    duplicates: int
    ledger: Sequence[ConsumerRecord]

    def __str__(self) -> str:
        return (
            f"{self.commands} commands, {self.effects} effects, {self.reconciled} results reconciled, "
            f"{self.repeated} with more than one call, {self.duplicates} duplicates answered"
        )


async def examine(bootstrap: str, name: str, pos: Sandbox, orders: Orders, copies: Counter[str]) -> Findings:
    """Compare everything; `copies`: how often each commandId was produced once more. The connector must be idle."""
    topics = [f"{name}.{topic}" for topic in ("order-command-results", "command-ledger", "dead-letters")]
    results, ledger, letters = (await read_topics(bootstrap, topics)).values()
    found = {order: [row for row in pos.effects if row["extOrderId"] == order] for order in orders}
    told = [orjson.loads(record.value) for record in results]
    originals = [row for row in told if not row["duplicate"]]
    problems = [f"a dead letter: {dict(letter.headers)}" for letter in letters]
    problems += [f"{row['effect']} of {row['extOrderId']!r}" for row in pos.effects if row["extOrderId"] not in orders]
    for order, steps in orders.items():
        problems += [f"{order}: {problem}" for problem in _done_once(steps, found[order])]
    problems += _told_once(orders, told, copies)
    problems += _in_order(orders, results)
    problems += _truthful(orders, {row["commandId"]: row for row in originals}, pos)
    problems += _closed(orders, ledger)
    problems += [f"offsets: {problem}" for problem in await unfinished(bootstrap, name)]
    problems += _lanes(ledger, await end_offsets(bootstrap, f"{name}.order-commands"))
    return Findings(
        problems,
        sum(map(len, orders.values())),
        len(pos.effects),
        sum(row["reconciled"] for row in originals),
        sum(row["attempts"] > 1 for row in originals),
        len(told) - len(originals),
        ledger,
    )


def effect_of(row: Row) -> Effect:
    """What the shop's own ledger says, in our words."""
    pieces = sum(line["quantity"] for line in row["lines"] or ())
    return Effect(row["effect"], 0 if row["effect"] == "updated" else row["amount"] or pieces, row["externalReference"] or "")


def _done_once(steps: Sequence[Step], rows: Sequence[Row]) -> Iterator[str]:
    """Every effect that was wanted is there once, in the order of the commands, and no other."""
    wanted = [effect for step in steps for effect in step.effects]
    found = [effect_of(row) for row in rows]
    if wanted != found:
        yield f"done to it: {[tuple(effect) for effect in found]} where {[tuple(effect) for effect in wanted]} was commanded"


def _told_once(orders: Orders, told: Sequence[Row], copies: Counter[str]) -> Iterator[str]:
    """One result for each command, and each copy of it answered with just that."""
    by_id = defaultdict(list)
    for row in told:
        by_id[row["commandId"]].append(row)
    ids = {step.id for steps in orders.values() for step in steps}
    yield from (f"a result of {name}" for name in by_id.keys() - ids)
    for name in sorted(ids):
        rows = by_id[name]
        if [False] + [True] * copies[name] != [row["duplicate"] for row in rows]:
            yield f"{name}: results {rows} for one command and {copies[name]} copies"
        elif len({orjson.dumps({**row, "duplicate": None, "at": None}) for row in rows}) > 1:
            yield f"{name}: different results {rows}"


def _in_order(orders: Orders, records: Sequence[ConsumerRecord]) -> Iterator[str]:
    """Results stand under the order's key, in the order of the commands."""
    by_key = defaultdict(list)
    for record in records:
        row = orjson.loads(record.value)
        if not row["duplicate"]:
            by_key[record.key.decode()].append(row["commandId"])
    for order, steps in orders.items():
        if by_key[order] != [step.id for step in steps]:
            yield f"{order}: results in the order {by_key[order]}"


def _truthful(orders: Orders, results: Mapping[str, Row], pos: Sandbox) -> Iterator[str]:
    """A result says what was done: succeeded, the order's id, its documents, its marker after this command."""
    for order, steps in orders.items():
        rows = iter([row for row in pos.effects if row["extOrderId"] == order])
        told = [results.get(step.id, {}) for step in steps]
        for step, result in zip(steps, told, strict=True):
            effects = [row for _, row in zip(step.effects, rows, strict=False)]
            yield from (f"{step.id}: {problem}: {result}" for problem in _agrees(result, effects))
        item = order_by_ext_id(pos.shop, order)
        markers = [result.get("syncMarker") or 0 for result in told]
        if any(one >= other for one, other in pairwise(markers)) or (item and markers[-1] != item.marker):
            yield f"{order}: sync markers {markers}, in the shop {item and item.marker}"


def _agrees(result: Row, effects: Sequence[Row]) -> Iterator[str]:
    if result.get("outcome") != "succeeded":
        yield "not told as succeeded"
    if {result.get("orderId")} != {row["orderId"] for row in effects}:
        yield "not the order's id"
    documents = {row["effect"]: row["document"] for row in effects}
    if result.get("invoiceId") != documents.get("invoiced"):
        yield f"the invoice is {documents.get('invoiced')}"
    if result.get("packingSlipId") not in (documents.get("delivered"), None):
        yield f"the packing slip is {documents.get('delivered')}"
    if result.get("packingSlipId") is None and str(result.get("reason")).startswith("DELIVER-") and not _late(result):
        yield f"the packing slip {documents.get('delivered')} is not told"


def _late(result: Row) -> bool:
    """A repeated call found it done by the one before."""
    return str(result["reason"]).endswith("ALREADY-DELIVERED") and result["attempts"] > 1


def _closed(orders: Orders, ledger: Iterable[ConsumerRecord]) -> Iterator[str]:
    """The ledger ends with the result of every command."""
    last = {record.key.decode(): orjson.loads(record.value).get("type") for record in ledger}
    for step in (step for steps in orders.values() for step in steps):
        if last.get(step.id) != "DONE":
            yield f"{step.id}: the ledger ends with {last.get(step.id)}"


def _lanes(ledger: Iterable[ConsumerRecord], ends: Mapping[int, int]) -> Iterator[str]:
    """The lane's own offset is the end of each partition, neither behind nor ahead."""
    last = {record.partition: orjson.loads(record.value) for record in ledger if record.key.startswith(b"lane:")}
    for partition, end in ends.items():
        lane = {name: last.get(partition, {"offset": 0, "finished": []})[name] for name in ("offset", "finished")}
        if lane != {"offset": end, "finished": []}:
            yield f"the lane {partition} is at {lane}, its commands end at {end}"


async def unfinished(bootstrap: str, name: str, group: str = "") -> list[str]:
    """Command partitions whose group's offset is not their end; `group`: the deployment's name, if it is another one."""
    topic = f"{name}.order-commands"
    ends = await end_offsets(bootstrap, topic)
    async with admin(bootstrap) as client:
        offsets = await client.list_consumer_group_offsets(f"{group or name}.commands")
    reached = {where.partition: meta.offset for where, meta in offsets.items() if where.topic == topic}
    short = {partition: end for partition, end in ends.items() if reached.get(partition, 0) != end}
    return [f"the group is at {reached.get(partition, 0)} of {end} in partition {partition}" for partition, end in short.items()]


def open_intents(ledger: Iterable[ConsumerRecord], at: float) -> set[str]:
    """Commands with an INTENT and without DONE at this time (seconds since the epoch), by the timestamps of the ledger."""
    found: dict[str, str] = {}
    for record in ledger:
        if record.timestamp <= at * 1000 and not record.key.startswith(b"lane:"):
            found[record.key.decode()] = orjson.loads(record.value)["type"]
    return {name for name, kind in found.items() if kind == "INTENT"}

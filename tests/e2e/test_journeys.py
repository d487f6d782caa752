"""`views` against the truth: the sandbox's own documents and effects, and the counts of what was produced; with kills."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from connector.sandbox import Sandbox, SandboxOptions, Shop
from connector.sandbox.shop.shop import shown
from tests.e2e.carried_out import Row
from tests.e2e.customers import Customers, customers
from tests.e2e.orders import PLANS
from tests.support.connectors import Fleet, settings, until
from tests.support.kafka.reading import read_topics
from tests.support.views.filling import environment, fill, journeys_of, prepare, sums_of
from tests.support.views.histories import COMPLETE, TOTAL, complete
from tests.support.views.processes import ViewsProcess

ITEMS, COMMANDED = 2_000, 24
HISTORIES = 500
KILLS = 3
AT_WORK = 200
"""Records that a worker carries out before it may be killed."""
SETTLE = 300.0
"""Seconds to be up to date, on a busy machine."""
READ = "order,invoice,packingSlip"
PAID = {"INVOICE-STATE-PAID", "INVOICE-STATE-HANDLED"}

Journey = Mapping[str, Any]


@contextmanager
def worker(environment: Mapping[str, str], directory: Path, *arguments: str) -> Iterator[ViewsProcess]:
    """A `views` of which nothing is left at the end."""
    process = ViewsProcess(environment, directory / f"views-{len(list(directory.iterdir()))}.log", *arguments)
    try:
        yield process
    finally:
        process.end()


async def test_journeys_agree_with_the_pos(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Those of thousands of orders, made at the till and by commands; after kills, and after a rebuild from nothing."""
    async with Sandbox(SandboxOptions(items=ITEMS)) as pos:
        common = settings(pos, bootstrap, prefix, entities=READ, page_size=500, poll_interval=0.3, answer_deadline=4)
        told = common | {"CONNECTOR_SESSION_TIMEOUT": "2"}
        fleet = Fleet(tmp_path, common)
        try:
            await _live(fleet, pos, bootstrap, prefix, told, tmp_path)
            await fleet.stop()
        finally:
            for connector in fleet.all:
                connector.destroy()
        assert [] == _wrong(await journeys_of(bootstrap, prefix), pos)
        counts = await _counts(bootstrap, prefix)
        assert counts == _plain(await sums_of(bootstrap, prefix))

        with worker(told, tmp_path, "--rebuild") as again:
            await again.up_to_date(SETTLE)
            assert 0 == await again.stop()
        assert [] == _wrong(await journeys_of(bootstrap, prefix), pos)
        assert counts == _plain(await sums_of(bootstrap, prefix))


async def _live(fleet: Fleet, pos: Sandbox, bootstrap: str, name: str, told: Mapping[str, str], directory: Path) -> None:
    """The connector reads and commands; `views` is killed again and again, and comes to its end."""
    connector = fleet.start()
    await until(connector.owns, 60, lambda: f"the topics exist: {connector.last_words()}")
    async with customers(pos, bootstrap, name, 8, random.Random(1)) as people:
        commanding = asyncio.create_task(_command(people))
        for _ in range(KILLS):
            with worker(told, directory) as victim:
                await _at_work(victim)
                victim.kill()
        await commanding
        await until(lambda: _answered(bootstrap, name, people), SETTLE, "all commands have results", every=0.5)
    heads = {entity: pos.shop.heads()[entity] for entity in READ.split(",")}
    await until(lambda: fleet.at_head(heads), SETTLE, "everything is read", every=0.5)
    with worker(told, directory) as last:
        await last.up_to_date(SETTLE)
        assert 0 == await last.stop()


async def _command(people: Customers) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(COMMANDED):
            group.create_task(people.serve(f"web-{number}", PLANS[number % len(PLANS)]))


async def _answered(bootstrap: str, name: str, people: Customers) -> bool:
    (results,) = (await read_topics(bootstrap, [f"{name}.order-command-results"])).values()
    ended = {orjson.loads(record.value)["commandId"] for record in results}
    return ended >= {step.id for steps in people.orders.values() for step in steps}


async def _at_work(victim: ViewsProcess) -> None:
    """It has carried out some records, or there are none left; when exactly it dies, luck decides."""
    await until(lambda: _worked(victim), SETTLE, lambda: f"it is at work: {victim.said}")


async def _worked(victim: ViewsProcess) -> bool:
    return await victim.metric("mplus_connector_views_records_total") >= AT_WORK or await victim.idle()


def _wrong(journeys: Mapping[str, Journey], pos: Sandbox) -> list[str]:
    """What does not agree with the shop's documents, or with what it says was done."""
    expected = dict(_truth(pos.shop))
    problems = [f"{key}: no journey" for key in expected.keys() - journeys.keys()]
    problems += [f"{key}: a journey of nothing" for key in journeys.keys() - expected.keys()]
    for key in expected.keys() & journeys.keys():
        if (found := _shown(journeys[key])) != expected[key]:
            problems.append(f"{key}: {found} where the shop has {expected[key]}")
    for key in {row["extOrderId"] for row in pos.effects} & journeys.keys():
        effects = [row for row in pos.effects if row["extOrderId"] == key]
        problems += [f"{key}: {problem}" for problem in _against(effects, journeys[key])]
    return problems


def _truth(shop: Shop) -> Iterator[tuple[str, Mapping[str, object]]]:
    slips = [shop.document(item) for item in shop.sequences["packingSlip"]]
    invoices = [shop.document(item) for item in shop.sequences["invoice"]]
    delivered: dict[str, set[str]] = {}
    invoiced: dict[str, dict[str, str]] = {}
    for slip in slips:
        if slip.get("orderId") and slip.get("state") != "PACKING-SLIP-STATE-CANCELLED":
            delivered.setdefault(slip["orderId"], set()).add(slip["packingSlipId"])
    for row in invoices:
        for order_id in row["orderIds"]["id"]:
            invoiced.setdefault(order_id, {})[row["invoiceId"]] = row["state"]
    for item in shop.sequences["order"]:
        if shown(item):
            order = shop.document(item)
            name = order["orderId"]
            yield order["extOrderId"] or name, _expected(order, delivered.get(name, set()), invoiced.get(name, {}))


def _expected(order: Mapping[str, Any], slips: set[str], invoices: Mapping[str, str]) -> Mapping[str, object]:
    paid = sum(payment["amount"] for payment in order["paymentList"]["payment"])
    settled = (order["fullyPaid"] and (paid or PAID & set(invoices.values()))) or PAID & set(invoices.values())
    furthest = "invoiced" if invoices else "delivered" if slips else "deposit" if paid else "created"
    cancelled = order["cancelState"] == "ORDER-CANCEL-STATE-COMPLETE"
    return {
        "orderId": order["orderId"],
        "state": "cancelled" if cancelled else "paid" if settled else furthest,
        "total": order["totalInclAmount"],
        "slips": slips,
        "invoices": set(invoices),
        "syncMarker": order["syncMarker"],
    }


def _shown(journey: Journey) -> Mapping[str, object]:
    documents = {
        name: {step["document"] for step in journey["steps"] if step["step"] == name} for name in ("delivered", "invoiced")
    }
    plain = {name: journey[name] for name in ("orderId", "state", "total", "syncMarker")}
    return {**plain, "slips": documents["delivered"], "invoices": documents["invoiced"]}


def _against(effects: Sequence[Row], journey: Journey) -> Iterator[str]:
    """What was really done to an order, each once."""
    documents = Counter(row["document"] for row in effects if row["effect"] in ("delivered", "invoiced"))
    found = Counter(step["document"] for step in journey["steps"] if step["step"] in ("delivered", "invoiced"))
    if documents != found:
        yield f"documents {dict(found)} where the shop made {dict(documents)}"
    paid = sum(row["amount"] for row in effects if row["effect"] == "paid")
    if paid != journey["paid"]:
        yield f"{journey['paid']} cents paid, where the shop got {paid}"
    if {"commanded"} != {step["step"] for step in journey["steps"]} & {"commanded"}:
        yield "it was commanded, and the journey does not show that"
    if not all(row["outcome"] for row in journey["commands"]):
        yield "commands without an ending"


async def _counts(bootstrap: str, name: str) -> Mapping[str, int]:
    """What the windows must add up to, from the topics themselves."""
    suffixes = {"orders": "order", "invoices": "invoice", "packing-slips": "packingSlip"}
    found = await read_topics(bootstrap, [f"{name}.{suffix}" for suffix in (*suffixes, "order-command-results")])
    counts = Counter(
        {f"changes.{entity}": len([row for row in found[f"{name}.{topic}"] if row.value]) for topic, entity in suffixes.items()}
    )
    for record in found[f"{name}.order-command-results"]:
        told = orjson.loads(record.value)
        counts[f"commands.{told['command']}.{told['outcome']}"] += not told["duplicate"]
    return {measure: count for measure, count in counts.items() if count}


def _plain(sums: Mapping[str, tuple[int, int]]) -> Mapping[str, int]:
    """Without the revenue: the sandbox's documents are too old for it."""
    return {measure: count for measure, (count, _) in sums.items() if not measure.startswith("revenue.")}


async def test_nothing_is_counted_twice_or_lost_when_workers_are_killed(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Records come in while two workers share the work, and are killed one after the other."""
    told = environment(bootstrap, prefix, session_timeout=2, command_partitions=4, partitions=2)
    await prepare(told)
    filling = asyncio.create_task(fill(told, (made for number in range(HISTORIES) for made in complete(number))))
    with worker(told, tmp_path) as first, worker(told, tmp_path) as second:
        await _at_work(first)
        first.kill()
        with worker(told, tmp_path) as third:
            await _at_work(third)
            second.kill()
        await filling
    with worker(told, tmp_path) as last:
        await last.up_to_date(SETTLE)
        assert 0 == await last.stop()

    states = Counter(row["state"] for row in (await journeys_of(bootstrap, prefix)).values())
    assert Counter({"paid": HISTORIES}) == states
    expected = {
        "changes.order": (4 * HISTORIES, 0),
        "changes.packingSlip": (HISTORIES, 0),
        "changes.invoice": (HISTORIES, 0),
        "commands.createOrder.succeeded": (HISTORIES, 0),
        "revenue.ordered": (HISTORIES, HISTORIES * TOTAL),
        "revenue.invoiced": (HISTORIES, HISTORIES * TOTAL),
    }
    assert expected == await sums_of(bootstrap, prefix)
    assert COMPLETE == sum(count for count, _ in expected.values()) // HISTORIES - 1

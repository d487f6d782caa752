"""Alerts and dashboard ask for nothing that is not there: held against a worker that has work and trouble."""

from collections import defaultdict
from collections.abc import Mapping

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.sandbox import Sandbox, SandboxOptions
from connector.views.metrics import COUNTERS, GAUGES, HISTOGRAMS
from tests.ops.test_serving import get
from tests.provisioning.expressions import Expression, grouped, of_alerts, of_dashboard, panels, rules, selectors
from tests.sink.rig import QUICK, Commands, create, deliver
from tests.source.rig import configuration, level, working

ADDED = {"job", "instance"}
"""Labels that Prometheus gives everything that it scrapes."""

Exposed = Mapping[str, set[str]]


@pytest.fixture(scope="module")
def expressions() -> list[Expression]:
    """All of them."""
    return [*of_alerts(), *of_dashboard()]


async def exposed(bootstrap: str, prefix: str) -> Exposed:
    """The labels of each sample that a worker shows which met all it can count."""
    found: dict[str, set[str]] = defaultdict(set)
    async with Sandbox(SandboxOptions(items=5)) as pos:
        pos.faults.switch("server_fault", count=1, operations=["getOrders"])
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
        async with working(config, roles=("source", "commands")) as worker:
            commands = Commands(bootstrap, prefix, pos)
            await commands.run(create("c-1", "web-1"), deliver("c-2", "web-9"))
            await commands.send(create("c-1", "web-1"))
            await commands.results(3)
            await level(worker, pos, ("order",))
            text = (await get(worker, "/metrics")).text
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        found[sample.name] |= set(sample.labels)
    return found


def of_views() -> Exposed:
    """The labels of each sample that the views show."""
    kinds = ((GAUGES, ("",)), (COUNTERS, ("_total",)), (HISTOGRAMS, ("_count", "_sum", "_bucket")))
    rows = [
        (row[0] + end, {*row[2], *(["le"] if end == "_bucket" else [])})
        for table, ends in kinds
        for row in table.values()
        for end in ends
    ]
    return dict(rows)


async def test_every_metric_and_label_exists(bootstrap: str, prefix: str, expressions: list[Expression]) -> None:
    """In expressions, in what they are grouped by, in legends and in the alerts' texts."""
    there: Exposed = {"up": set(), **await exposed(bootstrap, prefix), **of_views()}
    for expression in expressions:
        parsed = promql_parser.parse(expression.text)
        for name, labels in selectors(parsed):
            assert name in there, (expression.place, name)
            assert labels <= there[name] | ADDED, (expression.place, name)
        for by, names in grouped(parsed):
            assert all(by <= there[name] | ADDED for name in names), (expression.place, by)


def test_texts_name_labels_that_are_left(expressions: list[Expression]) -> None:
    """An aggregation drops all but those it groups by."""
    for expression in expressions:
        kept = [by for by, _ in grouped(promql_parser.parse(expression.text))]

        assert not kept or set(expression.told) <= set.union(*kept), expression.place


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    """How long it must hold, how urgent it is, one line, some more, and where to read on."""
    for rule in rules():
        assert {"alert", "expr", "for", "labels", "annotations"} == set(rule)
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert {"summary", "description", "runbook"} == set(rule["annotations"]), rule["alert"]


def test_every_metric_of_a_worker_is_shown_or_watched(expressions: list[Expression]) -> None:
    """What nobody looks at need not be counted."""
    from connector.ops.series import COUNTERS, GAUGES, HISTOGRAMS

    asked = {name for expression in expressions for name, _ in selectors(promql_parser.parse(expression.text))}
    shown = {row[0] for row in GAUGES.values()} | {f"{row[0]}_total" for row in COUNTERS.values()}
    times = {row[0] for row in HISTOGRAMS.values()}

    assert set() == shown - asked
    assert set() == {name for name in times if not any(each.startswith(name) for each in asked)}


def test_every_panel_says_what_it_shows() -> None:
    """In words for whoever has not built it."""
    assert [] == [panel["title"] for panel in panels() if not panel.get("description")]

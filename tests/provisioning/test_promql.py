"""Alerts and dashboard ask for nothing that is not there: held against a worker that has work and trouble."""

import re
from collections import defaultdict
from collections.abc import Mapping

import promql_parser
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.events.views import ViewsBatchDone, ViewsLooked, ViewsRecordRefused
from connector.sandbox import Sandbox, SandboxOptions
from connector.views.metrics import ViewsMetrics
from tests.support.expressions import OPS, Expression, grouped, of_alerts, of_dashboard, panels, read_yaml, rules, selectors
from tests.support.http_get import get
from tests.support.sink.commanding import QUICK, Commands, create, deliver
from tests.support.source.polling import configuration, level, working

ADDED = {"job", "instance"}
"""Labels that Prometheus gives everything that it scrapes."""

Exposed = Mapping[str, set[str]]


@pytest.fixture(scope="module")
def expressions() -> list[Expression]:
    """All of them."""
    return [*of_alerts(), *of_dashboard()]


async def exposed(bootstrap: str, prefix: str) -> Exposed:
    """The labels of each sample that a worker shows which met all it can count."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        pos.faults.switch("server_fault", count=1, operations=["getOrders"])
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
        async with working(config, roles=("source", "commands")) as worker:
            commands = Commands(bootstrap, prefix, pos)
            await commands.run(create("c-1", "web-1"), deliver("c-2", "web-9"))
            await commands.send(create("c-1", "web-1"))
            await commands.results(3)
            await level(worker, pos, ("order",))
            return samples((await get(worker, "/metrics")).text)


def samples(text: str) -> Exposed:
    """The labels of each sample on a page of metrics."""
    found: dict[str, set[str]] = defaultdict(set)
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        found[sample.name] |= set(sample.labels)
    return found


def registry_of_views() -> CollectorRegistry:
    """That of a `views` to which all happened that it counts."""
    metrics = ViewsMetrics()
    for event in (
        ViewsBatchDone("a", "intake", 1, 0.1),
        ViewsRecordRefused("a.orders", 0, 0, "why"),
        ViewsLooked((("a.orders", 1),), 0, ready=True),
    ):
        metrics(event)
    return metrics.registry


def of_views() -> Exposed:
    """The labels of each sample that it shows."""
    return samples(generate_latest(registry_of_views()).decode())


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


def test_jobs_are_those_that_are_scraped(expressions: list[Expression]) -> None:
    """An alert about a job of another name would never end, or never come."""
    scraped = {row["job_name"] for row in read_yaml(OPS / "prometheus" / "prometheus.yml")["scrape_configs"]}
    named = {job for expression in expressions for job in re.findall(r'job="([^"]+)"', expression.text)}

    assert {"mplus-connector", "mplus-connector-views"} <= named
    assert set() == named - scraped


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
    from connector.ops.registry import Counted, Timed
    from connector.ops.series import SERIES

    asked = {name for expression in expressions for name, _ in selectors(promql_parser.parse(expression.text))}
    times = {row.name for row in SERIES.values() if isinstance(row, Timed)}
    names = {row.name: f"{row.name}_total" if isinstance(row, Counted) else row.name for row in SERIES.values()}
    shown = {name for row, name in names.items() if row not in times}

    assert set() == shown - asked
    times |= {family.name for family in registry_of_views().collect()}
    assert set() == {name for name in times if not any(each.startswith(name) for each in asked)}


def test_every_panel_says_what_it_shows() -> None:
    """In words for whoever has not built it."""
    assert [] == [panel["title"] for panel in panels() if not panel.get("description")]

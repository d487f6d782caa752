"""The alerts fire when they must and not otherwise, and operations.md says of each what to do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.docs import page, slugs, table_row
from tests.support.expressions import OPS, REPOSITORY, read_yaml, rules

CASES = Path(__file__).parent / "alerts.test.yml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """What it says and how it ends."""
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


@needs_promtool
@pytest.mark.parametrize(
    "arguments", [("rules", OPS / "prometheus" / "alerts.yml"), ("config", OPS / "prometheus" / "prometheus.yml")]
)
def test_promtool_accepts_rules_and_configuration(arguments: tuple[str, Path]) -> None:
    """As Prometheus will."""
    checked = promtool("check", *arguments)

    assert 0 == checked.returncode, checked.stdout + checked.stderr


@needs_promtool
def test_alerts_fire_when_they_must_and_not_otherwise() -> None:
    """Each case of alerts.test.yml."""
    tested = promtool("test", "rules", CASES)

    assert 0 == tested.returncode, tested.stdout + tested.stderr


def test_every_alert_has_cases_of_both_kinds() -> None:
    """One in which it fires, and one in which it does not."""
    fires: dict[str, set[bool]] = {rule["alert"]: set() for rule in rules()}
    for case in (case for group in read_yaml(CASES)["tests"] for case in group["promql_expr_test"]):
        (name,) = re.findall(r'alertname="(\w+)"', case["expr"])
        fires[name].add(bool(case["exp_samples"]))

    assert {name: {True, False} for name in fires} == fires


def test_every_alert_is_explained() -> None:
    """In the table of operations.md, with its severity and the section that its runbook names; and none that is gone."""
    text = page("operations.md")
    for rule in rules():
        place, _, anchor = rule["annotations"]["runbook"].partition("#")
        row = table_row(text, f"`{rule['alert']}`")

        assert "docs/operations.md" == place
        assert (REPOSITORY / place).exists()
        assert anchor in slugs(text), rule["alert"]
        assert f"(#{anchor})" in row, rule["alert"]
        assert f"| {rule['labels']['severity']} |" in row

    assert {rule["alert"] for rule in rules()} == set(re.findall(r"`(Mplus\w+)`", text))

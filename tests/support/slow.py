"""Which tests take long. After pytest with `--junitxml junit.xml`: `python -m tests.support.slow junit.xml`."""

import re
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

SLOW = Path(__file__).parents[1] / "slow.txt"
SLOW_S = 0.2
"""Seconds that a test takes, or each case of it on the average, from which it is slow: `make unit` leaves it out."""


def slow_tests() -> set[str]:
    """`tests/test_x.py::test_y` of each."""
    return set(SLOW.read_text().split())


def measured(report: Path) -> list[str]:
    """Those of a run's report."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for case in ET.parse(report).iter("testcase"):
        module, _, inside = re.sub(r"\.([A-Z])", r"::\1", case.get("classname", "")).partition("::")
        name = "::".join(filter(None, (inside, case.get("name", "").partition("[")[0])))
        seconds[f"{module.replace('.', '/')}.py::{name}"].append(float(case.get("time", 0)))
    return sorted(name for name, each in seconds.items() if sum(each) / len(each) >= SLOW_S)


if __name__ == "__main__":
    SLOW.write_text("".join(f"{name}\n" for name in measured(Path(sys.argv[1]))))

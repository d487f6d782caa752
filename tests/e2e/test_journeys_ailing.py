"""A `views` worker whose Faust drops what it has fetched, or fails."""

from pathlib import Path

import pytest

from tests.support.connectors import until
from tests.support.views.ailing import DROP, FAIL, FAILED, GIVE_UP
from tests.support.views.filling import environment, fill, journeys_of, prepare, sums_of
from tests.support.views.histories import TOTAL, complete
from tests.support.views.processes import ViewsProcess

ORDERS = 60
SETTLE = 120.0


async def test_what_is_dropped_is_read_again(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """At once where something behind it shows it, in the thread that reads; and each is counted once."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=1)
    await prepare(told)
    await fill(told, (made for number in range(ORDERS) for made in complete(number)))
    process = ViewsProcess({**told, DROP: "23"}, tmp_path / "log", module="tests.support.views.ailing")
    try:
        await process.up_to_date(SETTLE)
        assert 0 == await process.stop()
    finally:
        process.end()

    assert {"paid"} == {row["state"] for row in (await journeys_of(bootstrap, prefix)).values()}
    found = await sums_of(bootstrap, prefix)
    assert ((4 * ORDERS, 0), (ORDERS, ORDERS * TOTAL)) == (found["changes.order"], found["revenue.ordered"])


@pytest.mark.parametrize("after", [100, 600], ids=["early", "late"])
async def test_a_failure_in_the_reading_thread_ends_the_worker(bootstrap: str, prefix: str, tmp_path: Path, after: int) -> None:
    """One line, exit code 1, so that it is started again: Faust alone would stand still for ever."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=1)
    await prepare(told)
    await fill(told, (made for number in range(ORDERS) for made in complete(number)))
    process = ViewsProcess({**told, FAIL: str(after)}, tmp_path / "log", module="tests.support.views.ailing")
    try:
        await until(lambda: process.code is not None, SETTLE, lambda: f"it has ended: {process.said}")
    finally:
        process.end()

    assert 1 == process.code
    assert process.said.splitlines()[-1].startswith("error: views cannot go on (KeyError: '" + FAILED), process.said
    assert "Traceback" not in process.said


async def test_a_recovery_that_is_given_up_ends_the_worker(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """It would keep its partitions for ever, and do nothing."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=1, session_timeout=2)
    await prepare(told)
    process = ViewsProcess({**told, GIVE_UP: "1"}, tmp_path / "log", module="tests.support.views.ailing")
    try:
        await until(lambda: process.code is not None, SETTLE, lambda: f"it has ended: {process.said}")
    finally:
        process.end()

    assert 1 == process.code
    assert "the partitions were not handed out" in process.said.splitlines()[-1]

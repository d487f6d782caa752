"""Equal lines are summed up, and nothing else is."""

from connector.events.kafka import TransactionEnded
from connector.events.pos import CallRetried
from connector.events.source import DeadLettered, HeadSeen, StateChanged
from connector.ops.log_throttle import EVERY_S, LINES_MAX, FloodLog
from tests.support.ops_events import ended, lines

TICK = HeadSeen("shop", "order", 1, 1, None)
"""Something that happens every few seconds, and has no line."""


def test_a_flood_is_summed_up() -> None:
    """The first few as they come, then one line a minute that says how many more; a flood goes on under the same rule."""
    now = 0.0
    log = FloodLog(lambda: now)
    with lines() as found:
        for second in range(180):
            now = float(second)
            for _ in range(10):
                log(TransactionEnded("shop.work", 1, 3, 0.1, lost="the broker is gone"))
        now = 2 * 180.0
        log(TICK)

    told = [line for line in found if "more" in line]
    assert 3 * LINES_MAX == len(found) - len(told)
    assert 1800 == len(found) - len(told) + sum(line["more"] for line in told)
    assert {("warning", "transaction lost", EVERY_S)} == {(line["level"], line["event"], line["within"]) for line in told}


def test_a_pos_that_is_down_is_one_thing() -> None:
    """Not one per entity. Entities that fell back, or are refused, each for a reason of its own, are as many things."""
    now = 0.0
    log = FloodLog(lambda: now)
    with lines() as found:
        for number in range(14):
            log(StateChanged("shop", f"entity{number}", "unreachable", "the POS cannot be reached"))
        for name in ("getOrders", "getStock", "getInvoices"):
            log(StateChanged("shop", name, "unavailable", f"{name} is refused"))
        for number in range(14):
            log(StateChanged("shop", f"entity{number}", "head-regressed", f"the head fell to {number}"))
        now = EVERY_S
        log(TICK)

    assert LINES_MAX == len([line for line in found if line["state"] == "unreachable" and "more" not in line])
    assert [14 - LINES_MAX] == [line["more"] for line in found if "more" in line]
    assert (3, 14) == tuple(
        len([line for line in found if line["state"] == state]) for state in ("unavailable", "head-regressed")
    )


def test_a_few_equal_lines_are_no_flood() -> None:
    """Nothing is added to them later."""
    now = 0.0
    log = FloodLog(lambda: now)
    with lines() as found:
        for _ in range(LINES_MAX):
            log(CallRetried("shop", "getOrders", 2, "Retry"))
        now = EVERY_S
        log(TICK)

    assert [None] * LINES_MAX == [line.get("more") for line in found]


def test_what_differs_is_not_summed_up() -> None:
    """Two entities are two floods, and each command has its line."""
    log = FloodLog(lambda: 0.0)
    with lines() as found:
        for number in range(2 * LINES_MAX):
            log(DeadLettered("shop", "order", "decode", number, "why"))
            log(DeadLettered("shop", "relation", "decode", number, "why"))
            log(ended("payOrder", f"c-{number}", "rejected"))

    assert (LINES_MAX, LINES_MAX) == tuple(
        len([line for line in found if line.get("entity") == name]) for name in ("order", "relation")
    )
    assert [f"c-{number}" for number in range(2 * LINES_MAX)] == [line["command_id"] for line in found if "command_id" in line]

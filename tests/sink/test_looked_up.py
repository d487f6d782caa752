"""A lane whose ledger is all looked up: nothing that has ended is in memory, and everything goes as it does with a small one."""

from collections.abc import AsyncIterator

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.ledger import ledger
from connector.sink.ledger import reading as ledger_reading
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import cancel, create, outcomes

OK = ("succeeded", "CREATE-ORDER-RESULT-OK")


@pytest.fixture
async def lanes(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lanes]:
    """An administration whose lanes keep nothing whole."""
    monkeypatch.setattr(ledger_reading, "TAIL", 0)
    monkeypatch.setattr(ledger, "KEPT_BYTES_MAX", 0)
    async with Sandbox(SandboxOptions(items=3)) as pos, laning(bootstrap, prefix, pos) as found:
        yield found


async def test_a_command_that_ended_is_known_by_its_record(lanes: Lanes) -> None:
    """In one session and in the next: the same record publishes nothing, a repeated one its result, and neither is a call."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        await lanes.rewind(0)
        async with lanes.owning(calls):
            await lanes.idle(1)
            for number, command in enumerate([create("c-1", "web-1"), cancel("c-2", "web-1"), cancel("c-2", "web-1")]):
                await lanes.send(command)
                results = await lanes.results(2 + number)
    assert [(False, "c-1"), (True, "c-1"), (False, "c-2"), (True, "c-2")] == [
        (row["duplicate"], row["commandId"]) for row in results
    ]
    assert {"succeeded"} == {row["outcome"] for row in results}
    assert ["createOrderV3", "cancelOrder"] == pos.changes
    assert ["created", "cancelled"] == lanes.effects_on("web-1")


async def test_an_order_of_another_command_is_not_taken_for_ones_own(lanes: Lanes) -> None:
    """Whoever made it stands in the ledger: its answer is lost, and the order that is found is another's."""
    async with lanes.worker() as (_, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        async with lanes.owning(calls):
            await lanes.send(create("c-2", "web-1"))
            results = await lanes.results(2)
    assert [OK, ("rejected", "CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS")] == outcomes(results)

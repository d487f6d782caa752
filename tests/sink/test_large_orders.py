"""An order that is larger than the ledger can note costs its command only."""

from collections.abc import AsyncIterator

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.outbox import Limits
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import create, deliver


@pytest.fixture
async def lanes(bootstrap: str, prefix: str) -> AsyncIterator[Lanes]:
    """An administration whose ledger takes 2,000 bytes at once."""
    async with Sandbox(SandboxOptions(items=3)) as pos, laning(bootstrap, prefix, pos) as found:
        found.settings["limits"] = Limits({f"{prefix}.command-ledger": 2000})
        yield found


async def test_an_order_that_cannot_be_noted_is_rejected(lanes: Lanes) -> None:
    """How its 200 lines stand does not fit into an INTENT: nothing is sent for it, and the next command is carried out."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1", *[10] * 200))
        await lanes.results(1)
        await lanes.send(deliver("c-2", "web-1"), create("c-3", "web-3"))
        results = {row["commandId"]: row for row in await lanes.results(3)}
    assert ("rejected", "CLIENT-FAULT", 0) == tuple(results["c-2"][name] for name in ("outcome", "reason", "attempts"))
    assert "the order is larger than the ledger can note" in results["c-2"]["message"]
    assert "succeeded" == results["c-3"]["outcome"]
    assert ["createOrderV3", "createOrderV3"] == pos.changes
    assert [] == await lanes.letters()

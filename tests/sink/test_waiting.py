"""How long a command waits beyond what it must: waiting for a call to be over is no failure of it."""

import pytest

from tests.support.sink.commanding import create, deliver, pay
from tests.support.sink.lone_executor import lone_executor
from tests.support.sink.lost_answers import first_line


@pytest.mark.parametrize("kind", ["pay", "deliver"])
async def test_what_is_proven_not_done_is_done_soon(kind: str) -> None:
    """Its call never came; right after the answer deadline of 600 s it is made again, however often was looked meanwhile."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        part = deliver("c-1", "web-1", {"lineId": first_line(bench), "quantity": 1})
        bench.pos.faults.switch("drop_before", count=1, operations=["payOrderV2", "deliverOrderV2"])
        result = await bench.run(pay("c-1", "web-1", 100) if kind == "pay" else part)
        assert ("succeeded", 2) == (result["outcome"], result["attempts"])
        (_, first, second) = bench.wire.changes
        assert 600 <= second[0] - first[0] < 603

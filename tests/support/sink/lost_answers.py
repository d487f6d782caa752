"""Commands whose answers are lost, and what is told of them."""

from collections.abc import Callable, Mapping
from typing import Any

from connector.errors import Unanswered
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sink.pos.calls import Pos
from tests.support.sink.commanding import cancel, create, deliver, pay, update
from tests.support.sink.lone_executor import LoneExecutor, Time

TOTAL = 2 * 195 + 2 * 425
"""Of an order over two of the articles 10 and 20, in cents."""


Make = Callable[[LoneExecutor], dict[str, Any]]


def first_line(bench: LoneExecutor) -> str:
    """The lineId of the order's first line."""
    return str(bench.order("web-1")["lineList"]["line"][0]["lineId"])


def locked(bench: LoneExecutor) -> dict[str, Any]:
    """An update that names the changeCounter itself."""
    return update("c-1", "web-1", reference="red paper", changeCounter=bench.order("web-1")["changeCounter"])


def part(bench: LoneExecutor) -> dict[str, Any]:
    """One of the two of the first line."""
    return deliver("c-1", "web-1", {"lineId": first_line(bench), "quantity": 1})


PAID: Make = lambda _: create("c-1", "web-1", prepay=True, paymentList=[{"method": "IDEAL", "amount": 100}])  # noqa: E731


OLD = {"createOrderV3", "updateOrderV2", "payOrderV2"}


# command: how it is made, the operation it must end with, what it does to the order, its good code
COMMANDS: Mapping[str, tuple[Make, str, list[str], str]] = {
    "create": (lambda _: create("c-1", "web-1"), "createOrderV3", ["created"], "CREATE-ORDER-RESULT-OK"),
    "create V1": (lambda _: create("c-1", "web-1"), "createOrder", ["created"], "CREATE-ORDER-RESULT-OK"),
    "create, paid": (PAID, "createOrderV3", ["created", "paid"], "CREATE-ORDER-RESULT-OK"),
    "update": (lambda _: update("c-1", "web-1", reference="red paper"), "updateOrderV2", ["updated"], "UPDATE-ORDER-RESULT-OK"),
    "update V1": (lambda _: update("c-1", "web-1", reference="red paper"), "updateOrder", ["updated"], "UPDATE-ORDER-RESULT-OK"),
    "update, locked": (locked, "updateOrderV2", ["updated"], "UPDATE-ORDER-RESULT-OK"),
    "update, locked V1": (locked, "updateOrder", ["updated"], "UPDATE-ORDER-RESULT-OK"),
    "cancel": (lambda _: cancel("c-1", "web-1"), "cancelOrder", ["cancelled"], "CANCEL-ORDER-RESULT-OK"),
    "deposit": (lambda _: pay("c-1", "web-1", 100), "payOrderV2", ["paid"], "PAY-ORDER-RESULT-OK"),
    "deposit V1": (lambda _: pay("c-1", "web-1", 100), "payOrder", ["paid"], "PAY-ORDER-RESULT-OK"),
    "settle": (
        lambda _: pay("c-1", "web-1", TOTAL, prepay=False),
        "payOrderV2",
        ["paid", "delivered", "invoiced"],
        "PAY-ORDER-RESULT-OK",
    ),
    "settle V1": (
        lambda _: pay("c-1", "web-1", TOTAL, prepay=False),
        "payOrder",
        ["paid", "delivered", "invoiced"],
        "PAY-ORDER-RESULT-OK",
    ),
    "deliver": (lambda _: deliver("c-1", "web-1"), "deliverOrder", ["delivered"], "DELIVER-ORDER-RESULT-OK"),
    "deliver a part": (part, "deliverOrderV2", ["delivered"], "DELIVER-ORDER-V2-RESULT-OK"),
}


NOTHING_ROWS = ["create, paid", "deposit", "deposit V1", "settle", "settle V1", "deliver a part"]
"""Commands whose repetition nothing makes safe: a payment not even with an idempotency key."""


async def readied(bench: LoneExecutor, name: str) -> dict[str, Any]:
    """The command; its order is there, and the POS has the operations that it shall use."""
    make, operation, _, _ = COMMANDS[name]
    if not name.startswith("create"):
        await bench.run(create("c-0", "web-1"))
        bench.pos.effects.clear()
    bench.pos.faults.missing_operations = frozenset(OLD - {operation})
    return make(bench)


def told(result: Mapping[str, Any]) -> tuple[Any, ...]:
    """Outcome, reason, calls, whether looking decided it."""
    return tuple(result[name] for name in ("outcome", "reason", "attempts", "reconciled"))


class Late:
    """A Pos whose first change of an operation nobody answers: it arrives when it is told to. Looking takes `slow` seconds."""

    def __init__(self, pos: Pos, time: Time, operation: str, slow: float) -> None:
        self._pos, self._time, self._slow = pos, time, slow
        self._late: tuple[str, Fields] | None = None
        self._waiting = operation
        self.page, self.turn = pos.page, pos.turn

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        answer = await self._pos.order(operation, fields)
        if self._late is not None:
            await self._time.sleep(self._slow)
        return answer

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        if operation != self._waiting:
            return await self._pos.change(operation, fields)
        self._waiting, self._late = "", (operation, fields)
        raise Unanswered("the POS did not answer in time")

    async def arrive(self) -> OrderAnswer:
        """What was sent is carried out now."""
        assert self._late is not None
        return await self._pos.change(*self._late)


def other_line(bench: LoneExecutor) -> str:
    """The lineId of the order's second line."""
    return str(bench.order("web-1")["lineList"]["line"][1]["lineId"])

"""Orders that somebody else acted on."""

from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sink.pos.calls import Pos

TAKEN = "CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS"


ONLY_V1 = frozenset({"createOrderV3", "updateOrderV2", "payOrderV2"})


class Foreign:
    """A Pos that answers a creation with the order of somebody else, as one that confuses idempotency keys would."""

    def __init__(self, pos: Pos, answer: OrderAnswer) -> None:
        self._answer = answer
        self.order, self.page, self.turn = pos.order, pos.page, pos.turn

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        return self._answer

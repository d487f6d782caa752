"""How many bytes of items have arrived, told while a page is under way: so that whoever pays for them can slow it down."""

from collections.abc import Awaitable, Callable, Sequence

from connector.mplus.response import Answer
from connector.mplus.responses.pages import Item, Undecodable

ITEM_BYTES = 512
"""What an item takes beside its content: small ones would otherwise be many times larger in memory than what is told of them."""

Arrived = Callable[[int], Awaitable[None]]


class Arrivals:
    """Arrivals of one page, over all attempts at it: what a later attempt brings once more is not told again."""

    def __init__(self, arrived: Arrived | None) -> None:
        self._arrived = arrived
        self._told = 0

    def of(self, answer: Answer) -> Callable[[Sequence[Item | Undecodable]], Awaitable[None]]:
        """To be called with the items of one attempt as they come. Waiting takes nothing from the call's time."""
        so_far = 0

        async def came(items: Sequence[Item | Undecodable]) -> None:
            nonlocal so_far
            so_far += sum(ITEM_BYTES + len(item.value if isinstance(item, Item) else item.raw) for item in items)
            if self._arrived is not None and so_far > self._told:
                new, self._told = so_far - self._told, so_far
                with answer.standing_still():
                    await self._arrived(new)

        return came

"""How a page is asked for: which operation, and what is done where it cannot be read as it came."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from connector.errors import Refused, Unreadable
from connector.mplus.arrivals import ITEM_BYTES
from connector.mplus.client import Arrived, Page
from connector.mplus.request import Fields
from connector.mplus.responses.pages import Item, PageSpec
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import Choices, named
from connector.source.reading.reader import NEWER_AGAIN_S, Reader
from tests.source.interposed import Time, client_of, interpose, refusal

(PURCHASE,) = named(["purchaseOrder"])
(RELATION,) = named(["relation"])
V2, V1 = (reading.operation for reading in PURCHASE.readings)


async def test_one_spurious_fault_changes_nothing() -> None:
    """The newer operation is asked again; the older one would leave out what it does not know."""
    once = [refusal()]

    async def spurious(_: str, answer: web.Response) -> web.Response | None:
        return once.pop() if once else None

    async with Sandbox(SandboxOptions(items=3)) as pos, client_of(pos) as client:
        interpose(pos, spurious)
        reader = Reader(client, PURCHASE, Choices())
        with pytest.raises(Refused):
            await reader.page(1, 10)
        assert 3 == len(await reader.page(1, 10))
        assert (2, 0) == (pos.requests.counts[V2], pos.requests.counts[V1])


async def test_a_missing_operation_is_tried_again_every_hour() -> None:
    """While it is refused, for whatever reason, the older one goes on; when that is missing, the newer one is asked at once."""
    time = Time()
    async with Sandbox(SandboxOptions(items=3)) as pos, client_of(pos) as client:
        counts = pos.requests.counts
        pos.faults.missing_operations = frozenset({V2})
        reader = Reader(client, PURCHASE, Choices(), lambda: time.now)
        for _ in range(3):
            assert 3 == len(await reader.page(1, 10))
        assert (1, 3) == (counts[V2], counts[V1])
        pos.faults.missing_operations = frozenset()
        refused = True

        async def unlicensed(operation: str, answer: web.Response) -> web.Response | None:
            return refusal("not licensed") if refused and operation == V2 else None

        interpose(pos, unlicensed)
        for _ in range(2):
            time.now += NEWER_AGAIN_S
            assert 3 == len(await reader.page(1, 10))
            assert 3 == len(await reader.page(1, 10))
        assert (3, 7) == (counts[V2], counts[V1])
        refused = False
        time.now += NEWER_AGAIN_S
        for _ in range(2):
            assert 3 == len(await reader.page(1, 10))
        assert (5, 7) == (counts[V2], counts[V1])


async def test_the_older_operation_may_be_the_one_that_disappears() -> None:
    """At any time within the hour."""
    async with Sandbox(SandboxOptions(items=3)) as pos, client_of(pos) as client:
        pos.faults.missing_operations = frozenset({V2})
        reader = Reader(client, PURCHASE, Choices())
        await reader.page(1, 10)
        pos.faults.missing_operations = frozenset({V1})
        assert 3 == len(await reader.page(1, 10))
        pos.faults.missing_operations = frozenset({V1, V2})
        with pytest.raises(Refused):
            await reader.page(1, 10)


async def test_the_bytes_of_items_are_told_as_they_come() -> None:
    """All of them, in more than one piece where a page is large."""
    pieces: list[int] = []

    async def arrived(by: int) -> None:
        pieces.append(by)

    async with Sandbox(SandboxOptions(items=300)) as pos, client_of(pos) as client:
        page = await Reader(client, RELATION, Choices()).page(1, 300, arrived)
    assert sum(ITEM_BYTES + len(item.value) for item in page if isinstance(item, Item)) >= sum(pieces) > 0
    assert len(pieces) > 1


@dataclass
class Picky:
    """A client whose pages can be read carefully, or not at all."""

    careful: bool
    asked: list[PageSpec] = field(default_factory=list)
    readable: Callable[[PageSpec], bool] = lambda spec: spec.careful

    async def page(self, operation: str, fields: Fields, spec: PageSpec, arrived: Arrived | None = None) -> Page:
        self.asked.append(spec)
        if not self.readable(spec):
            raise Unreadable("not well-formed", careful=self.careful and not spec.careful)
        return [Item(marker=1, identity="a", deleted=False, value=b"{}")]


async def test_a_page_that_cannot_be_read_is_read_carefully_once() -> None:
    """The same page; the next one as ever. Where that is no help, the error is told."""
    picky = Picky(careful=True)
    assert 1 == len(await Reader(picky, RELATION, Choices()).page(1, 10))  # type: ignore[arg-type]
    assert [False, True] == [spec.careful for spec in picky.asked]
    for never, asked in ((True, 2), (False, 1)):
        hopeless = Picky(careful=never, readable=lambda _: False)
        with pytest.raises(Unreadable):
            await Reader(hopeless, RELATION, Choices()).page(1, 10)  # type: ignore[arg-type]
        assert asked == len(hopeless.asked)

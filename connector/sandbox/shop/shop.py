"""The simulated shop: every entity's items and markers, and the ways they change."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from random import Random
from typing import Any

from connector.sandbox.shop import facts
from connector.sandbox.shop.catalogue import HIDDEN_ORDER_TYPES
from connector.sandbox.shop.entities import ENTITIES, document, parts_of
from connector.sandbox.shop.item import Draft, Item
from connector.sandbox.shop.late import Change, Late
from connector.sandbox.shop.lists import Lists
from connector.sandbox.shop.memory import OrderMemory
from connector.sandbox.shop.selection import Select, Selection, by_records
from connector.sandbox.shop.sequence import MarkerSequence

Origin = tuple[str, int, int]
BuildDocument = Callable[[Draft], dict[str, Any]]
SEEDED_LINES = 5  # stock changes that each receipt of the seeded shop has


class Shop:
    """The same seed, sizes and calls make the same shop; what happens after it opened carries the time of `clock` (seconds).

    `items` per entity, `per_entity` names the exceptions. `limits` decides what a limit counts, `stock_inclusive` whether
    the stock change that a reader names is itself part of the answer. `memory` is what order commands remember. `late` says
    which changes become visible late; those of commands and cashiers never do.
    """

    def __init__(
        self,
        seed: int = 1,
        items: int = 200,
        per_entity: Mapping[str, int] | None = None,
        *,
        memory: OrderMemory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.memory = memory or OrderMemory(clock=clock)
        self.seed = seed
        self.items = items
        self.limits: Select = by_records
        self.stock_inclusive = True
        self.lists = Lists()
        self.sequences = {name: MarkerSequence(self._opened) for name in ENTITIES}
        self.late = Late(seed, clock)
        self._clock = clock
        self._is_open = False
        self._luck = Random(seed)
        for name in ENTITIES:
            self._open(name, (per_entity or {}).get(name, items))
        self._is_open = True

    def now(self) -> datetime:
        return facts.local(self._clock())

    def heads(self) -> dict[str, int]:
        """The highest marker of each entity that the POS tells; of stock the highest stockId."""
        self._reveal_due()
        return {name: self.late.shown_head(name, sequence.head) for name, sequence in self.sequences.items()}

    def truth(self) -> dict[str, dict[str, int]]:
        """Identity -> marker of everything that a reader with the default filter must find."""
        self._reveal_due()
        return {
            name: {item.identity: item.marker for item in sequence if shown(item)} for name, sequence in self.sequences.items()
        }

    def identity(self, entity: str, number: int, epoch: int) -> str:
        """What the seeded shop calls item `number`, made after so many restores."""
        return self._identified(Item(entity, number, "", 0, epoch=epoch)).identity

    def select(self, entity: str, selection: Selection) -> list[Item]:
        """The items of a page, the lowest marker first."""
        self._reveal_due()
        return list(self.limits(self.sequences[entity], selection))

    def draft(self, item: Item) -> Draft:
        return Draft(self.seed, self.items, item)

    def document(self, item: Item) -> dict[str, Any]:
        """What the item holds now."""
        return document(self.draft(item))

    def create(self, entity: str, origin: Origin | None = None) -> Item:
        """A new item with the next marker. `origin` is what caused a stock change."""
        item = self._numbered(entity)
        item.origin = origin
        item.kind, item.parts = ENTITIES[entity].kind(self.draft(item)), (item.marker,) * parts_of(entity, item.number)
        self._change([item], item.marker, new=True)
        return item

    def enter(self, entity: str, build: BuildDocument, identity: str = "") -> Item:
        """A new item that holds what `build` makes of its draft, not what follows from the seed."""
        item = self._numbered(entity)
        if entity != "stock":  # not the seed's identity for this number: documents of the seeded shop name that one
            item.identity = identity or facts.uuid_text(item.identity, "entered")
        item.content = build(self.draft(item))
        item.kind = item.content.get("orderType", "")
        self.sequences[entity].append(item)
        return item

    def revise(self, item: Item, content: Mapping[str, Any], *, deleted: bool | None = None) -> None:
        """A change after which the item holds `content`."""
        sequence = self.sequences[item.entity]
        sequence.move(item, sequence.next_marker(), content=content, deleted=deleted)

    def change(self, entity: str, count: int = 1) -> list[str]:
        """Change `count` items picked by the seed and return their identities; stock, a ledger, gets new rows instead."""
        return [self._change_one(entity) for _ in range(count)]

    def change_item(self, entity: str, identity: str) -> int:
        """The item's new marker. KeyError: no such item."""
        return self.touch_together(entity, [identity])

    def delete(self, entity: str, identity: str) -> int:
        """Mark the item as deleted (not active, cancelled, voided) and return its new marker."""
        sequence = self.sequences[self._changeable(entity)]
        return self._change([sequence.by_identity[identity]], sequence.next_marker(), deleted=True)

    def touch_together(self, entity: str, identities: Iterable[str]) -> int:
        """Change several items at once, so that they share one new marker, which is returned."""
        sequence = self.sequences[self._changeable(entity)]
        items = [sequence.by_identity[identity] for identity in identities]
        return self._change(items, sequence.next_marker())

    def reveal(self) -> int:
        """Show every change that was held back to become visible late; how many there were."""
        return sum(self._reveal(name, everything=True) for name in self.sequences)

    def reserve(self, entity: str) -> int:
        """A marker whose change becomes visible late: see commit_late."""
        return self.sequences[self._changeable(entity)].next_marker()

    def commit_late(self, entity: str, identity: str, marker: int) -> None:
        """A change at a reserved marker, after higher ones were seen."""
        sequence = self.sequences[entity]
        sequence.move(sequence.by_identity[identity], marker)

    def fall_back(self, entity: str, by: int) -> None:
        """Undo the entity's last `by` markers, as restoring a backup does; their numbers are given out again."""
        self.late.forget(entity)
        self.sequences[entity].fall_back(by)

    def snapshot(self) -> dict[str, int]:
        """What to restore to: the highest marker given out of each entity."""
        return {name: sequence.head for name, sequence in self.sequences.items()}

    def restore(self, snapshot: Mapping[str, int]) -> None:
        """Undo what happened since the snapshot was taken: markers come again. What commands remember, and lists, stay."""
        for name, head in snapshot.items():
            if since := self.sequences[name].head - head:
                self.fall_back(name, since)

    def pick(self, entity: str) -> Item | None:
        """Some item that is not deleted, by the seed. Items that commands had a hand in are left alone."""
        sequence = self.sequences[entity]
        tries = (sequence.item_at(self._luck.randrange(len(sequence))) for _ in range(8 if len(sequence) else 0))
        return next((item for item in tries if not item.deleted and item.content is None), None)

    def _change(self, items: Iterable[Item], marker: int, *, deleted: bool | None = None, new: bool = False) -> int:
        """Now, or late: the marker all the same."""
        late = self._is_open and self.late.strikes()
        for item in items:
            before = self.late.supersede(item)
            change = Change(item, marker, before if deleted is None else deleted, new)
            if late:
                self.late.hold(change)
            else:
                change.show(self.sequences[item.entity])
        return marker

    def _reveal_due(self) -> None:
        for name in self.sequences:
            self._reveal(name)

    def _reveal(self, entity: str, *, everything: bool = False) -> int:
        due = list(self.late.due(entity, everything=everything))
        for change in due:
            change.show(self.sequences[entity])
        return len(due)

    def _change_one(self, entity: str) -> str:
        if entity in self.lists.rows:
            return self.lists.change(entity)
        item = None if entity == "stock" else self.pick(entity)
        if item is None:
            return self.create(entity).identity
        self.change_item(entity, item.identity)
        return item.identity

    def _numbered(self, entity: str) -> Item:
        """A new item with the next marker and number, not yet among the others."""
        sequence = self.sequences[entity]
        marker = sequence.next_marker()
        number = marker if entity == "stock" else len(sequence) + self.late.unborn(entity) + 1
        return self._identified(Item(entity, number, "", marker, epoch=sequence.epoch, made=self._opened()))

    def _identified(self, item: Item) -> Item:
        item.identity = ENTITIES[item.entity].identify(self.draft(item))
        return item

    def _opened(self) -> datetime | None:
        """Now, once the shop is open."""
        return self.now() if self._is_open else None

    def _changeable(self, entity: str) -> str:
        if entity == "stock":
            raise ValueError("stock is a ledger: rows are added, never changed")
        return entity

    def _open(self, entity: str, count: int) -> None:
        """What a shop has been through when one begins to read it: markers with gaps, a few deletions."""
        for number in range(count):
            if entity == "stock":
                self._open_stock(number)
                continue
            self.create(entity)
            if self._luck.random() < 0.25:
                self._change_one(entity)
            if number % 25 == 24 and (item := self.pick(entity)):
                self.delete(entity, item.identity)

    def _open_stock(self, number: int) -> None:
        if number % 30 == 7:
            self.sequences["stock"].next_marker()  # a transaction that was rolled back leaves a gap
        sold = ("receipt", 1 + number // SEEDED_LINES, number % SEEDED_LINES)
        self.create("stock", None if number % 9 == 8 else sold)


def shown(item: Item) -> bool:
    """Whether a reader sees it who asks for no types of orders."""
    return item.kind not in HIDDEN_ORDER_TYPES


def shuffled(items: Iterable[Item], seed: int, *what: object) -> list[Item]:
    """Items in an order that depends on the seed and is never that of the markers: no page is promised to be sorted."""
    ordered = list(items)
    mixed = ordered[:]
    Random(facts.digest(seed, *what)).shuffle(mixed)
    return mixed if mixed != ordered else mixed[::-1]

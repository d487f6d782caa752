"""One item of one entity, and the draft that its XML is built from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.sandbox.shop import facts


@dataclass(slots=True, eq=False)
class Item:
    """What it holds follows from the seed and these fields; `xml` keeps what was written until it changes.

    `content` is set once a command or a cashier had a hand in it: then it holds that, and the seed no longer counts.
    """

    entity: str
    number: int
    identity: str
    marker: int
    kind: str = ""  # of an order: its type
    revision: int = 0
    epoch: int = 0  # how often the shop had been restored from a backup when it last changed
    deleted: bool = False
    parts: tuple[int, ...] = ()  # the markers of a product's articles
    origin: tuple[str, int, int] | None = None  # of a stock change: entity, number and line that caused it
    content: Mapping[str, Any] | None = None
    made: datetime | None = None  # like the next two by the clock; None: before the shop opened, so that the seed tells
    first_changed: datetime | None = None
    last_changed: datetime | None = None
    xml: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """An item together with what the shop around it looks like; `items` is the number of items per entity."""

    seed: int
    items: int
    item: Item

    @property
    def number(self) -> int:
        return self.item.number

    @property
    def revision(self) -> int:
        return self.item.revision

    def luck(self, *what: object) -> int:
        """A number that stays the same for this item and this `what`, whatever happens to it."""
        return facts.digest(self.seed, self.item.entity, self.number, *what)

    def refer(self, entity: str) -> int:
        """The number of some item of another entity that belongs with this one."""
        return 1 + self.luck("refers to", entity) % max(1, self.items)

    def other(self, entity: str, number: int) -> "Draft":
        """Another item, as it was made."""
        return Draft(self.seed, self.items, Item(entity, number, self.uuid(entity, number), 0))

    def uuid(self, entity: str, number: int) -> str:
        return facts.uuid_text(self.seed, entity, number, 0)

    def made(self, minutes: int = 0) -> datetime:
        """When, and so many minutes after that."""
        return facts.later(self.item.made or facts.when(self.number), minutes)

    def first_changed(self) -> datetime:
        return self.item.first_changed or self.made(20)

    def changed(self) -> datetime:
        """A change made again after a restore differs, also within the same second."""
        last = self.item.last_changed or self.made(0 if self.item.made else self.revision * 11)
        return last + timedelta(seconds=self.item.epoch)

    def year_number(self) -> dict[str, int]:
        return facts.year_number(self.number, self.item.made)

    def workplace_number(self) -> dict[str, int]:
        return facts.workplace_number(self.number, self.item.made)


Build = Callable[[Draft], dict[str, object]]

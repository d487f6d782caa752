"""One item of one entity, and the draft that its XML is built from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import facts


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
        return facts.when(self.number, minutes)

    def changed(self) -> datetime:
        return facts.when(self.number, self.revision * 11 + self.item.epoch * 1440)


Build = Callable[[Draft], dict[str, object]]

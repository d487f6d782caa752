"""Which items a page holds. What the vendor's limit counts is ambiguous, so the sandbox knows both readings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile
from types import MappingProxyType

from connector.sandbox.shop.item import Item
from connector.sandbox.shop.sequence import MarkerSequence


@dataclass(frozen=True, slots=True)
class Selection:
    """Items with a marker of at least `marker` that `visible` lets through; `limit` counts as the shop's semantics say."""

    marker: int
    limit: int
    visible: Callable[[Item], bool]


Select = Callable[[MarkerSequence, Selection], Iterator[Item]]


def in_window(items: MarkerSequence, asked: Selection) -> Iterator[Item]:
    """The limit is a range of markers: [marker, marker + limit)."""
    end = asked.marker + asked.limit
    return filter(asked.visible, takewhile(lambda item: item.marker < end, items.at_or_above(asked.marker)))


def by_records(items: MarkerSequence, asked: Selection) -> Iterator[Item]:
    """The limit counts the items that the reader gets to see."""
    return islice(filter(asked.visible, items.at_or_above(asked.marker)), asked.limit)


def by_records_before_filter(items: MarkerSequence, asked: Selection) -> Iterator[Item]:
    """The limit counts hidden items too, so that a page comes out thin."""
    return filter(asked.visible, islice(items.at_or_above(asked.marker), asked.limit))


LIMIT_SEMANTICS: Mapping[str, Select] = MappingProxyType(
    {"records": by_records, "records-before-filter": by_records_before_filter, "window": in_window}
)

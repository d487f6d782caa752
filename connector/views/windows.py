"""Tumbling windows: how often something happened, and for how much, per minute and per hour. Pure.

An entry holds the offset up to which its source partition is counted in it, so that what is read again counts once; and of
which topic that offset is: one that is made anew begins at 0 under the same name.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson

from connector.messages.loose_json import object_in
from connector.messages.window import KEPT, Window
from connector.views.records import Get, Json, Measurement

COUNT_MAX = 1 << 62
"""The largest count of an entry: JSON carries twice as much."""

CLOSED_S = 7 * 24 * 3600
"""Seconds that a shop may be closed, or a measure silent, without leaving minutes behind."""


def windows(ms: int, measure: str, partition: int) -> Iterator[Window]:
    """The window of each size that a moment falls into."""
    seconds = ms // 1000
    return (Window(size, seconds - seconds % size, measure, partition) for size in KEPT)


class WindowSource(NamedTuple):
    """What is counted: the partition, and the id of its topic; empty where nobody knows it."""

    partition: int
    topic: str = ""


FORMER_MAX = 5
"""Topics before this one of which an entry knows how far they are counted: a worker that died may read their figures again."""


def counted(observed: Iterable[Measurement], source: WindowSource, get: Get, now: float) -> Mapping[bytes, bytes | None]:
    """The entries after these measurements of one source partition, also those that were counted before; None: no longer kept."""
    found: dict[bytes, Json] = {}
    ended: dict[bytes, bytes | None] = {}
    for (window, offset), (count, amount) in _together(observed, source.partition).items():
        if window.expired(now):
            continue
        stored = get(window.key)
        if stored is None and window.key not in found:
            ended |= dict.fromkeys(key for key in _ended_by(window, now) if get(key) is not None)
        entry = found.setdefault(window.key, _entry(stored))
        if offset > _upto(entry, source.topic):
            total = entry["amount"] if amount is None else (entry["amount"] or 0) + amount
            found[window.key] = {"count": entry["count"] + count, "amount": total, **_reached(entry, source.topic, offset)}
    return ended | {key: orjson.dumps(entry) for key, entry in found.items()}


def _upto(entry: Json, topic: str) -> int:
    """Up to where this topic is counted. An entry that does not say of which topic it is, is of any."""
    last = entry.get("topic", topic)
    found: int = entry["upto"] if (topic or last) == last else entry.get("former", {}).get(topic, -1)
    return found


def _reached(entry: Json, topic: str, offset: int) -> Json:
    """Up to where an entry counts its topics, after this one is counted up to an offset."""
    topic = topic or entry.get("topic", "")  # where nobody knows the id it is the one that was counted last
    former = dict(entry.get("former", {}))
    if (last := entry.get("topic", topic)) != topic:
        former = {name: upto for name, upto in {**former, last: entry["upto"]}.items() if name != topic}
    kept = dict(list(former.items())[-FORMER_MAX:])
    told = ("topic", topic), ("former", kept)
    return {"upto": offset, **{name: value for name, value in told if value}}


def _ended_by(window: Window, now: float) -> Iterator[bytes]:
    """What may be deleted when the present window begins: those that began as long again before they were no longer kept.

    With an hour also the minutes of a week more: nothing came to delete them while the shop was closed. By our own clock: a
    document that a till dates in another year deletes nothing.
    """
    present = int(now // window.size) * window.size
    if abs(window.start - present) > window.size:
        return
    for size, kept in KEPT.items():
        if size <= window.size:
            upto = present - kept
            for start in range(upto - (kept if size == window.size else CLOSED_S), upto, size):
                yield window._replace(size=size, start=start).key


def _together(observed: Iterable[Measurement], partition: int) -> Mapping[tuple[Window, int], tuple[int, int | None]]:
    """What one record says about one window is counted as one: the offset does not tell its parts apart."""
    sums: dict[tuple[Window, int], tuple[int, int | None]] = defaultdict(lambda: (0, None))
    for row in sorted(observed, key=lambda row: row.offset):
        for window in windows(row.ms, row.measure, partition):
            count, amount = sums[window, row.offset]
            sums[window, row.offset] = count + row.number, amount if row.amount is None else (amount or 0) + row.amount
    return sums


def _entry(value: bytes | None) -> Json:
    """What is there; where that is no window's, because somebody else wrote it, counting begins anew."""
    found = object_in(value)
    numbers = [found.get("count"), found.get("upto"), found.get("amount") or 0]
    former = found.get("former", {})
    known = (
        isinstance(found.get("topic", ""), str)
        and isinstance(former, dict)
        and all(isinstance(each, int) for each in former.values())
    )
    good = known and all(isinstance(each, int) and abs(each) < COUNT_MAX for each in numbers)
    return found if good else {"count": 0, "amount": None, "upto": -1}


Booked = Sequence[int] | None
"""Milliseconds of the epoch, and cents: what a document adds to the revenue; None: nothing."""


def moved(before: Booked, after: Booked, measure: str, offset: int) -> tuple[Measurement, ...]:
    """How the revenue changes when a document does."""
    if before == after:
        return ()
    if before is not None and after is not None and before[0] == after[0]:
        return (Measurement(offset, after[0], measure, 0, after[1] - before[1]),)
    taken = (Measurement(offset, before[0], measure, -1, -before[1]),) if before else ()
    given = (Measurement(offset, after[0], measure, 1, after[1]),) if after else ()
    return taken + given

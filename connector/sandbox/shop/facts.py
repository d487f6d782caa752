"""Identities and dates: what follows from the seed alone, and how moments are told. Everything here is a pure function."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

T = TypeVar("T")
Row = TypeVar("Row", bound=tuple[Any, ...])

OPENING = datetime(2026, 1, 5, 7, 0, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ZERO_DATE = {"day": 0, "mon": 0, "year": 0}
ZERO_MOMENT = {"sec": 0, "min": 0, "hour": 0, "day": 0, "mon": 0, "year": 0, "isdst": False, "timezone": 0}
LAST_OF_2025 = 10  # document numbers up to this one belong to the year before


def digest(*parts: object) -> int:
    """A 128-bit number that depends on `parts` alone (never on Python's salted hash)."""
    text = "/".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")


def uuid_text(*parts: object) -> str:
    return str(UUID(int=digest(*parts), version=4))


def year_number(number: int, made: datetime | None = None) -> dict[str, int]:
    """A document's number; `made` is None where the seed tells its year."""
    seeded = 2025 if number <= LAST_OF_2025 else OPENING.year
    return {"year": made.year if made else seeded, "number": number}


def workplace_number(number: int, made: datetime | None = None) -> dict[str, int]:
    return {"branchNumber": branch(number), "workplaceNumber": 1 + number % 3, **year_number(number, made)}


def pick(row: Sequence[T], number: int) -> T:
    return row[number % len(row)]


def by_share(rows: Sequence[Row], number: int) -> Row:
    """The row that `number` falls on, each as often as its last column says."""
    shares: list[int] = [row[-1] for row in rows]
    left = number % sum(shares)
    for row, share in zip(rows, shares, strict=True):
        left -= share
        if left < 0:
            return row
    raise AssertionError("the shares add up to more than their sum")


def branch(number: int) -> int:
    return 1 + number % 2


def when(number: int) -> datetime:
    """The time at which item `number` of the seeded shop was made (spread over eight months)."""
    return later(OPENING, (number * 37) % 345_600)


def later(at: datetime, minutes: int) -> datetime:
    """Elapsed minutes, also where the clocks go back or forward."""
    return (at.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(AMSTERDAM)


def local(seconds: float) -> datetime:
    """A clock's reading, as the POS shows it."""
    return datetime.fromtimestamp(seconds, AMSTERDAM)


def moment(at: datetime) -> dict[str, int | bool]:
    offset = at.utcoffset() or timedelta()
    zone = int(offset.total_seconds()) // 60
    clock = {"sec": at.second, "min": at.minute, "hour": at.hour, "day": at.day, "mon": at.month, "year": at.year}
    return {**clock, "isdst": zone == 120, "timezone": zone}


def date(at: datetime) -> dict[str, int]:
    return {"day": at.day, "mon": at.month, "year": at.year}

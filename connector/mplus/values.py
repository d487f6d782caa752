"""Element text → value, strictly: what the XSD does not allow is an error, never a guess.

Sources: reference/ of this project for the vendor's own dates (`timezone` in minutes, east positive; Europe/Amsterdam where it is
missing); XML Schema part 2 for the rest. An empty element is None here; text is dealt with where elements are read.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, tzinfo
from functools import cache, lru_cache
from typing import Generic, TypeVar
from xml.etree.ElementTree import Element

NAMESPACE = "{urn:mplusqapi}"
WHITESPACE = " \t\r\n"
REMEMBERED, LONGEST_REMEMBERED = 16_384, 40
Parts = dict[str, str | None]
T = TypeVar("T")


class InvalidValue(ValueError):
    """An element that cannot be converted; `path` collects its surrounding elements, innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str] = []

    def __str__(self) -> str:
        where = "/".join(reversed(self.path))
        return f"{where}: {self.args[0]}" if where else str(self.args[0])


class Table(dict[str | None, T | None], Generic[T]):
    """Text → value, looked up like a dict because that is the fastest call there is; converts what it has not seen."""

    def __init__(self, convert: Callable[[str], T | None]) -> None:
        super().__init__({None: None})
        self._convert = convert

    def __missing__(self, text: str) -> T | None:
        stripped = text.strip(WHITESPACE)
        value = self._convert(stripped) if stripped else None
        self.remember(text, value)
        return value

    def remember(self, text: str, value: T | None) -> None:
        if len(text) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED:
                self.clear()
                self[None] = None
            self[text] = value


class _Integers(Table[int]):
    def __missing__(self, text: str) -> int | None:
        if len(text) < 19 and text.isdigit() and text.isascii():  # nearly all: faster than remembering what is not small
            value = int(text)
            if len(text) <= 4:
                self.remember(text, value)
            return value
        return super().__missing__(text)


class _Decimals(Table[str]):
    def __missing__(self, text: str) -> str | None:
        if text.isascii() and text.replace(".", "", 1).isdigit():
            return text
        return super().__missing__(text)


def shown(text: str) -> str:
    """For an error in one line: quoted, and short."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise InvalidValue(f"{shown(text)} is not an integer")
    digits = text.lstrip("+-0")
    value = int(digits or "0") * (-1 if text[0] == "-" else 1) if len(digits) <= 20 else 1 << 64
    if not -(1 << 63) <= value < 1 << 64:
        raise InvalidValue(f"{shown(text)} does not fit into 64 bits")
    return value


def _boolean(text: str) -> bool:
    if text not in {"true", "false", "1", "0"}:
        raise InvalidValue(f"{shown(text)} is not a boolean")
    return text in {"true", "1"}


def _decimal(text: str) -> str:
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text):
        raise InvalidValue(f"{shown(text)} is not a decimal")
    return text


def _date_text(text: str) -> str | None:
    match = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?", text)
    if not match:
        raise InvalidValue(f"{shown(text)} is not a date")
    year, month, day = (int(part) for part in match[1].split("-"))
    return _day(year, month, day)


def _date_time_text(text: str) -> str | None:
    match = re.fullmatch(r"([0-9-]{10})T([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?", text)
    if not match:
        raise InvalidValue(f"{shown(text)} is not a date and time")
    day = _date_text(match[1])
    if day is None:
        return None
    try:
        wall = datetime.fromisoformat(f"{day}T{match[2]}{match[4] or ''}")
    except ValueError:
        raise InvalidValue(f"{shown(text)} is not a date and time") from None
    return text if match[4] else text + _offset(_amsterdam(wall, None))


INTEGERS = _Integers(_integer)
BOOLEANS = Table(_boolean)
DECIMALS = _Decimals(_decimal)
DATES = Table(_date_text)
DATE_TIMES = Table(_date_time_text)


def _day(year: int, month: int, day: int) -> str | None:
    """ISO 8601; None for the zero date, by which the POS says that there is none."""
    if year == month == day == 0:
        return None
    try:
        return date(year, month, day).isoformat()
    except (ValueError, OverflowError):
        raise InvalidValue(f"there is no day {year}-{month}-{day}") from None


def _offset(minutes: int) -> str:
    if abs(minutes) >= 24 * 60:
        raise InvalidValue(f"{minutes} minutes is not an offset from UTC")
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _amsterdam(wall: datetime, summer: bool | None) -> int:
    """Minutes east of UTC in the shop. `summer` decides in the hour that comes twice (and in the one that never comes)."""
    folds = [wall.replace(tzinfo=shop_zone(), fold=fold) for fold in (0, 1)]
    chosen = next((moment for moment in folds if bool(moment.dst()) == summer), folds[0])
    offset = chosen.utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0  # before 1940 it had seconds, which RFC 3339 does not know


@cache
def shop_zone() -> tzinfo:
    """Where the shop is whose dates say no offset."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 -- rarely needed, and the decoder's child is kept small

    return ZoneInfo("Europe/Amsterdam")


DAY_PARTS = ("day", "mon", "year")
MOMENT_PARTS = ("sec", "min", "hour", *DAY_PARTS, "isdst", "timezone")
DAY_TAGS, MOMENT_TAGS = ([NAMESPACE + name for name in names] for names in (DAY_PARTS, MOMENT_PARTS))
SIXTY = {str(number): f"{number:02d}" for number in range(60)}
HOURS = {str(number): f"{number:02d}" for number in range(24)}
OFFSETS = Table(lambda text: _offset(_integer(text)))


def soap_date(element: Element) -> str | None:
    """SoapMplusDate → `YYYY-MM-DD`; None when empty or all zero."""
    if [part.tag for part in element] == DAY_TAGS and not any(map(len, element)):
        day, month, year = [part.text for part in element]
        return _day_of(year, month, day)
    parts = _parts(element, DAY_PARTS)
    return _day_of(parts.get("year"), parts.get("mon"), parts.get("day")) if parts else None


def soap_date_time(element: Element) -> str | None:
    """SoapMplusDateTime → ISO 8601 with offset; None when empty or when its day is all zero."""
    if [part.tag for part in element] == MOMENT_TAGS and not any(map(len, element)):
        second, minute, hour, day, month, year, _, zone = [part.text for part in element]
        if (
            hour in HOURS
            and minute in SIXTY
            and second in SIXTY
            and (offset := OFFSETS[zone])
            and (date_ := _day_of(year, month, day))
        ):
            return f"{date_}T{HOURS[hour]}:{SIXTY[minute]}:{SIXTY[second]}{offset}"
    return _any_date_time(_parts(element, MOMENT_PARTS))


def _any_date_time(parts: Parts) -> str | None:
    """The same for parts that are missing, in another order or written otherwise than usual."""
    day = _day_of(parts.get("year"), parts.get("mon"), parts.get("day")) if parts else None
    if day is None:
        return None
    hour, minute, second = (_number(name, parts.get(name)) for name in ("hour", "min", "sec"))
    try:
        wall = datetime.fromisoformat(day).replace(hour=hour, minute=minute, second=second)
    except (ValueError, OverflowError):
        raise InvalidValue(f"there is no time {hour}:{minute}:{second}") from None
    offset = OFFSETS[parts.get("timezone")]
    return wall.isoformat() + (offset or _offset(_amsterdam(wall, BOOLEANS[parts.get("isdst")])))


def _parts(element: Element, known: tuple[str, ...]) -> Parts:
    parts = {child.tag.removeprefix(NAMESPACE): child.text for child in element}
    if len(parts) != len(element) or not parts.keys() <= set(known) or any(map(len, element)):
        raise InvalidValue("not the parts of a date")
    if not parts and (element.text or "").strip(WHITESPACE):
        raise InvalidValue("text where the parts of a date are expected")
    return parts


@lru_cache(maxsize=4096)
def _day_of(year: str | None, month: str | None, day: str | None) -> str | None:
    return _day(_number("year", year), _number("mon", month), _number("day", day))


def _number(name: str, text: str | None) -> int:
    value = INTEGERS[text]
    if value is None:
        raise InvalidValue(f"{name} is missing")
    return value

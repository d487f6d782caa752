"""Element text → value, strictly: what the XSD does not allow is an error, never a guess.

Sources: reference/ of this project for the vendor's own dates (`timezone` in minutes, east positive; Europe/Amsterdam where it is
missing); XML Schema part 2 for the rest. An empty element is None here; text is dealt with where elements are read.

A date or time is said in RFC 3339, as the schemas promise: 24:00:00 is midnight of the next day, a leap second the beginning of
the next minute. One that no calendar has, or RFC 3339 cannot say (a zero part, 30 February, a year beyond 9999), is None: it must
not cost the item. Only what is not written as a date at all is an error, for that is a changed API.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Generic, TypeVar
from xml.etree.ElementTree import Element

NAMESPACE = "{urn:mplusqapi}"
WHITESPACE = " \t\r\n"
REMEMBERED, REMEMBERED_CHARS_MAX = 16_384, 40
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
        if len(text) <= REMEMBERED_CHARS_MAX:
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
    match = re.fullmatch(rf"{DAY}(?:{ZONE})?", text)
    if not match:
        raise InvalidValue(f"{shown(text)} is not a date")
    return _day(*_numbers(match["year"], match["month"], match["day"]))


def _date_time_text(text: str) -> str | None:
    match = re.fullmatch(rf"{DAY}T{CLOCK}(?P<zone>{ZONE})?", text)
    if not match:
        raise InvalidValue(f"{shown(text)} is not a date and time")
    day = _day(*_numbers(match["year"], match["month"], match["day"]))
    wall = _wall(day, *_numbers(match["hour"], match["min"], match["sec"])) if day else None
    if wall is None:
        return None
    zone = match["zone"] or _offset(_amsterdam(wall, None)) or ""
    return f"{wall.isoformat()}{match['part'] or ''}{zone}" if re.fullmatch(SAID_ZONE, zone) else None


def _numbers(*texts: str) -> list[int]:
    return [int(text) if len(text) < 10 else 1 << 31 for text in texts]


DAY = r"(?P<year>-?[0-9]{4,})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
CLOCK = r"(?P<hour>[0-9]{2}):(?P<min>[0-9]{2}):(?P<sec>[0-9]{2})(?P<part>\.[0-9]+)?"
SAID_ZONE = r"Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]"
ZONE = r"Z|[+-][0-9]{2}:[0-9]{2}"
INTEGERS = _Integers(_integer)
BOOLEANS = Table(_boolean)
DECIMALS = _Decimals(_decimal)
DATES = Table(_date_text)
DATE_TIMES = Table(_date_time_text)


def _day(year: int, month: int, day: int) -> str | None:
    """ISO 8601; None where there is no such day. With a zero part the POS says that there is none."""
    try:
        return date(year, month, day).isoformat()
    except (ValueError, OverflowError):
        return None


def _wall(day: str, hour: int, minute: int, second: int) -> datetime | None:
    """The moment on the clock of that day; None where no clock shows it. 24:00:00 and leap seconds are the moment after."""
    leap = second in {60, 61}
    midnight = (hour, minute, second) == (24, 0, 0)
    try:
        wall = datetime.fromisoformat(day).replace(hour=0 if midnight else hour, minute=minute, second=59 if leap else second)
        return wall + timedelta(days=midnight, seconds=leap)
    except (ValueError, OverflowError):
        return None


def _offset(minutes: int) -> str | None:
    if abs(minutes) >= 24 * 60:
        return None
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
    """SoapMplusDate → `YYYY-MM-DD`; None when empty, or no day."""
    if [part.tag for part in element] == DAY_TAGS and not any(map(len, element)):
        day, month, year = [part.text for part in element]
        return _day_of(year, month, day)
    parts = _parts(element, DAY_PARTS)
    return _day_of(parts.get("year"), parts.get("mon"), parts.get("day")) if parts else None


def soap_date_time(element: Element) -> str | None:
    """SoapMplusDateTime → ISO 8601 with offset; None when empty, or no moment."""
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
    hour, minute, second = (_number(name, parts) for name in ("hour", "min", "sec"))
    zone, summer = INTEGERS[parts.get("timezone")], BOOLEANS[parts.get("isdst")]
    if hour is None or minute is None or second is None or (wall := _wall(day, hour, minute, second)) is None:
        return None
    offset = _offset(_amsterdam(wall, summer) if zone is None else zone)
    return wall.isoformat() + offset if offset else None


def _parts(element: Element, known: tuple[str, ...]) -> Parts:
    parts = {child.tag.removeprefix(NAMESPACE): child.text for child in element}
    if len(parts) != len(element) or not parts.keys() <= set(known) or any(map(len, element)):
        raise InvalidValue("not the parts of a date")
    if not parts and (element.text or "").strip(WHITESPACE):
        raise InvalidValue("text where the parts of a date are expected")
    if missing := [name for name in DAY_PARTS if parts and name not in parts]:
        raise InvalidValue(f"{missing[0]} is missing")
    return parts


@lru_cache(maxsize=4096)
def _day_of(year: str | None, month: str | None, day: str | None) -> str | None:
    parts = INTEGERS[year], INTEGERS[month], INTEGERS[day]
    return _day(*parts) if None not in parts else None  # type: ignore[arg-type]


def _number(name: str, parts: Parts) -> int | None:
    if name not in parts:
        raise InvalidValue(f"{name} is missing")
    return INTEGERS[parts[name]]

"""A second decoder, written from the contract and the XSD alone: slow, plain, on lxml. What both say is probably right."""

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.pos.instances import NS, Xsd

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
WHOLE = {"int", "long", "short", "unsignedInt", "unsignedLong"}


def decode(xsd: Xsd, type_: str | None, node: Any, omit: frozenset[str] = frozenset()) -> Any:
    """The JSON value of an element; `type_` None for an element that the XSD does not know."""
    children = [child for child in node if isinstance(child.tag, str) and _local(child) not in omit]
    content = "".join(node.itertext()) if not children else ""
    if node.get(NIL) == "true" and not children:
        return None
    if type_ is None:
        return _named(xsd, {}, children, omit) if children else content
    if type_ in {"string", "base64"} or xsd.values(type_) is not None:
        return content
    if type_ in {"SoapMplusDate", "SoapMplusDateTime"}:
        return _moment({_local(child): child.text for child in children}) if children else None
    if type_ in WHOLE | {"boolean", "decimal", "date", "dateTime"}:
        return _scalar(type_, content.strip()) if content.strip() else None
    if xsd.is_wrapper(type_):
        return _members(xsd, type_, children, omit)
    known = {element.name: element for element in xsd.elements(type_)}
    return _named(xsd, known, children, omit) if len(node) else None


def _members(xsd: Xsd, type_: str, children: list[Any], omit: frozenset[str]) -> list[Any]:
    (member,) = xsd.elements(type_)
    return [
        decode(xsd, member.type, child, omit)
        if child.tag == NS + member.name
        else {_local(child): decode(xsd, None, child, omit)}
        for child in children
    ]


def _named(xsd: Xsd, known: dict[str, Any], children: list[Any], omit: frozenset[str]) -> dict[str, Any]:
    times = Counter(_local(child) for child in children)
    value: dict[str, Any] = {}
    for child in children:
        name = _local(child)
        element = known.get(name) if child.tag == NS + name else None
        single = decode(xsd, element.type if element else None, child, omit)
        if (element and element.repeated) or (not element and times[name] > 1):
            value.setdefault(name, []).append(single)
        else:
            assert name not in value, name
            value[name] = single
    return value


def _scalar(type_: str, text: str) -> Any:
    if type_ in WHOLE:
        return int(text)
    if type_ == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}[text]
    if type_ == "decimal":
        return text
    if text.startswith("0000-00-00"):
        return None
    if type_ == "date":
        return text[:10]
    zoned = datetime.fromisoformat(text)
    return text if zoned.tzinfo else text + zoned.replace(tzinfo=ZoneInfo("Europe/Amsterdam")).isoformat()[-6:]


def _moment(parts: dict[str, str | None]) -> str | None:
    number = {name: int(text) for name, text in parts.items() if text and name != "isdst"}
    if (number["year"], number["mon"], number["day"]) == (0, 0, 0):
        return None
    if "hour" not in number:
        return datetime(number["year"], number["mon"], number["day"]).date().isoformat()  # noqa: DTZ001
    wall = datetime(*(number[name] for name in ("year", "mon", "day", "hour", "min", "sec")))  # type: ignore[arg-type]  # noqa: DTZ001
    if "timezone" in number:
        return wall.replace(tzinfo=timezone(timedelta(minutes=number["timezone"]))).isoformat()
    winter = parts.get("isdst") in {"false", "0"}
    return wall.replace(tzinfo=ZoneInfo("Europe/Amsterdam"), fold=int(winter)).isoformat()


def _local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]

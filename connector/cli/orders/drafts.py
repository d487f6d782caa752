"""From flags and a file to a command, with everything that is wrong with them. Pure, but for reading the file."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from connector.cli.orders.options import Flag
from connector.errors import Misconfigured
from connector.messages.command import holds_order
from connector.messages.strict_json import Unreadable, flaws, read_object

DIGITS_MAX = 40
"""More of them are no number that anybody means; whether a number fits into 64 bits is said where commands are judged."""

ANY = ""
"""No verb of its own: the file says which command it is, and everything about it."""

WHOLE = rf"-?[0-9]{{1,{DIGITS_MAX}}}"

UNNAMED = "no order is named: give {}, where it has none)"


def draft(verb: str, file: Path | None, flags: Sequence[Flag]) -> dict[str, Any]:
    """The command. Raises Misconfigured with every problem."""
    problems: list[str] = []
    command = _command(verb, read(file, problems) if file else {}, problems)
    given = [flag for flag in flags if flag.value not in (None, [], ())]
    for flag in given:
        _put(command, flag, problems)
    said = {flag.option for flag in given}
    problems += [problem for option, problem in _missing(verb, command, flags) if option not in said]
    if problems:
        raise Misconfigured(*dict.fromkeys(problems))
    return command


def read(file: Path, problems: list[str]) -> dict[str, Any]:
    """A JSON object in a file, as strictly as the connector reads commands."""
    try:
        found = read_object(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        problems.append(f"--file {file} cannot be read: {error.strerror}")
    except Unreadable as error:
        problems.append(f"--file {file} is no command and no order: {error}")
    else:
        problems += [f"--file {file}: {flaw}" for flaw in flaws(found)]
        return found
    return {}


def _command(verb: str, found: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    if verb == ANY:
        return dict(found)
    name = f"{verb}Order"
    if found.get("command", name) != name:
        problems.append(f"--file holds the command {found['command']}: `order {verb}` sends {name}")
    if holds_order(name) and found and not {"command", "order"} & found.keys():
        return {"command": name, "order": dict(found)}
    if holds_order(name) and not isinstance(found.get("order", {}), dict):
        problems.append("--file: order must be an object")
        return {"command": name, "order": {}}
    return {"command": name} | ({"order": {}} if holds_order(name) else {}) | dict(found)


def _put(command: dict[str, Any], flag: Flag, problems: list[str]) -> None:
    place = command
    for name in flag.path[:-1]:
        place = place[name]
    name, value = flag.path[-1], _value(flag, problems)
    if value is not None and place.setdefault(name, value) != value:
        problems.append(f"{flag.option}: the file has another {name}: say it once")


def _value(flag: Flag, problems: list[str]) -> Any:
    """None where it is not what it should be."""
    if isinstance(flag.value, bool):
        return flag.value
    texts = [flag.value] if isinstance(flag.value, str) else flag.value or ()
    found = []
    for text in texts:
        try:
            found.append(flag.parse(text))
        except ValueError as error:
            problems.append(f"{flag.option} {error}")
    if len(found) < len(texts):
        return None
    return found[0] if isinstance(flag.value, str) else found


def order_line(text: str) -> dict[str, Any]:
    """`ARTICLE:QUANTITY[:PRICE]` as a line of an order; below zero: what comes back. Raises ValueError."""
    if not (found := re.fullmatch(rf"([0-9]{{1,{DIGITS_MAX}}}):([^:]*)(?::({WHOLE}))?", text)):
        raise ValueError(f"{text} is not ARTICLE:QUANTITY[:PRICE in cents], such as 20:2, 20:-1 or 20:0.5:425")
    article, quantity, price = found.groups()
    return {"articleNumber": int(article), "data": _quantity(text, quantity) | ({"price": int(price)} if price else {})}


def delivery_line(text: str) -> dict[str, Any]:
    """`LINEID:QUANTITY` as a line to deliver. Raises ValueError."""
    line, colon, quantity = text.rpartition(":")
    if not (line and colon):
        raise ValueError(f"{text} is not LINEID:QUANTITY, such as 5f0c:1, 5f0c:-1 or 5f0c:0.5")
    return {"lineId": line} | _quantity(text, quantity)


def payment(text: str) -> dict[str, Any]:
    """`METHOD:CENTS`. Raises ValueError."""
    if not (found := re.fullmatch(rf"(.+):({WHOLE})", text)):
        raise ValueError(f"{text} is not METHOD:CENTS, such as CASH:1995 or CASH:-100")
    return {"method": found[1], "amount": int(found[2])}


def _quantity(line: str, text: str) -> dict[str, int]:
    if not re.fullmatch(rf"{WHOLE}(\.[0-9]{{1,{DIGITS_MAX}}})?", text):
        raise ValueError(f"{line} is no line: {text or 'nothing'} is not a quantity, such as 2, -1 or 0.5")
    whole, _, decimals = text.partition(".")
    return {"quantity": int(whole + decimals)} | ({"decimalPlaces": len(decimals)} if decimals else {})


def number(text: str) -> int:
    """A whole number. Raises ValueError."""
    if not re.fullmatch(rf"[0-9]{{1,{DIGITS_MAX}}}", text):
        raise ValueError(f"{text} is not a number")
    return int(text)


def _missing(verb: str, command: Mapping[str, Any], flags: Sequence[Flag]) -> Iterator[tuple[str, str]]:
    """Each with the option that would give it."""
    if verb == ANY:
        return
    order = command["order"] if holds_order(f"{verb}Order") else command
    if verb == "create":
        if not order.get("extOrderId"):
            yield "--ext-order-id", "--ext-order-id is missing"
        if not order.get("relationNumber"):
            yield "--relation", "--relation is missing"
    elif not (order.get("extOrderId") or order.get("orderId")):
        by_flag = any(flag.option == "--ext-order-id" for flag in flags)
        yield "", UNNAMED.format("--ext-order-id (or --order-id" if by_flag else "--file with the order's extOrderId (or orderId")
    if verb == "pay" and not command.get("paymentList"):
        yield "--pay", "--pay is missing"
    if verb == "pay" and "prepay" not in command:
        yield "--prepay/--invoice", "say --prepay (a deposit) or --invoice (delivers and invoices the order)"

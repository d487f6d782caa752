"""JSON values of a command's field, made by a walk of the committed schema: everything filled, or only what must be given."""

import random
import string
from typing import Any

from connector import schemas as schema

TEXTS = ("Koffie", " spatie om ", "a<b & c>d", "é€𝄞", "regel 1\nregel 2\t", "0", "true", "-", "'\"", "", "]]>", "{}")
DECIMALS = ("12.340000", "-0.5", ".5", "+7", "0", "12345678901234567890.123456789", "3.")
DATES = ("2026-02-28", "2024-02-29", "0001-01-01", "9999-12-31")
MOMENTS = (
    "2026-01-15T10:20:30+01:00",
    "2026-07-15T23:59:59+02:00",
    "2026-10-25T02:30:05+02:00",
    "2026-10-25T02:30:05+01:00",
    "2026-07-15T01:02:03-05:30",
    "1999-12-31T00:00:00+00:00",
    "2026-07-15T01:02:03+14:00",
)
FRACTIONS = ("2026-07-01T01:02:03.123+02:00", "2026-07-01T01:02:03Z")
Schema = dict[str, Any]


class Filled:
    """Makes values of a command's schema; a type occurs at most `depth` times inside itself."""

    def __init__(self, command: str, seed: int, *, depth: int = 2, chance: float = 1.0) -> None:
        self._schema = schema.load(command, "commands")
        self._dice = random.Random(seed)
        self._depth = depth
        self._chance = chance

    def field(self, name: str) -> Any:
        """A value of one of the command's fields; what is optional is there with that chance."""
        return self._value(self._schema["properties"][name], ())

    def _value(self, part: Schema, above: tuple[str, ...]) -> Any:
        if "$ref" in part:
            name = part["$ref"].removeprefix("#/$defs/")
            return self._value(self._schema["$defs"][name], (*above, name))
        if "enum" in part:
            return self._dice.choice(part["enum"])
        return getattr(self, f"_{part['type']}")(part, above)

    def _object(self, part: Schema, above: tuple[str, ...]) -> Any:
        return {
            name: self._value(field, above)
            for name, field in part["properties"].items()
            if name in part.get("required", ()) or self._dice.random() < self._chance
        }

    def _array(self, part: Schema, above: tuple[str, ...]) -> Any:
        ref = part["items"].get("$ref", "").removeprefix("#/$defs/")
        times = 0 if above.count(ref) >= self._depth else self._dice.randint(1, 3)
        return [self._value(part["items"], above) for _ in range(times)]

    def _integer(self, part: Schema, _: tuple[str, ...]) -> int:
        return self._dice.choice((part["minimum"], part["maximum"], 0, 7))

    def _boolean(self, *_: object) -> bool:
        return self._dice.random() < 0.5

    def _string(self, part: Schema, _: tuple[str, ...]) -> str:
        choices: dict[tuple[Any, Any], tuple[str, ...]] = {
            (None, "decimal"): DECIMALS,
            (None, "date"): DATES,
            ("SoapMplusDate", "date"): DATES,
            (None, "date-time"): (*MOMENTS, *FRACTIONS),
            ("SoapMplusDateTime", "date-time"): MOMENTS,
        }
        text = self._dice.choice(choices.get((part.get("x-mplus"), part.get("format")), TEXTS))
        return text or (self._dice.choice(string.ascii_letters) if part.get("minLength") else "")

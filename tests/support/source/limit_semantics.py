"""The two readings of what the POS's limit counts."""

from typing import Literal

Semantics = Literal["records", "records-before-filter", "window"]


SEMANTICS: tuple[Semantics, ...] = ("records", "records-before-filter", "window")

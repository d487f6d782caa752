"""How far the connector has come with an entity, by its position record. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from connector.messages.position import Deployment, Position


class Reached(NamedTuple):
    """The position, and the markers below it at which the connector still waits for items that may become visible late."""

    position: Position
    gaps: Sequence[tuple[int, int]] = ()

    def has(self, version: int, upto: int) -> bool:
        """Whether it has read a version of an item that the POS shows up to this marker."""
        return upto <= self.position.marker and not any(first <= version <= last for first, last in self.gaps)

    def has_row(self, identity: str, written: str | None, *, gone: bool) -> bool:
        """Whether it has read what a slow list holds now, of which it has `written` something else in the topic.

        Told without decoding the list: what it read last is either what is in the topic, and then the difference is still to
        be read, or it is not, and then the topic is wrong.
        """
        known = self.position.hashes.get(identity)
        return known is None if gone else known not in (None, written)


def reached(deployment: Deployment, written: bytes) -> Reached:
    """What a position record says is reached. Raises Fatal for another deployment's, and for what is none."""
    return Reached(deployment.decode(written), list(_ranges(orjson.loads(written).get("gaps"))))


def _ranges(rows: Any) -> Sequence[tuple[int, int]]:
    return [(first, last) for first, last, *_ in rows or ()]

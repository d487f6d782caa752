"""Dead letters by what they are of."""

from connector.events.source import DeadLettered
from tests.support.pos.model_pos import Reading


def letters(reading: Reading) -> list[DeadLettered]:
    """As they were told."""
    return [told for told in reading.told if isinstance(told, DeadLettered)]


def named(reading: Reading) -> set[int]:
    """The sync markers that dead letters stand for."""
    found: set[int] = set()
    for record in (record for bundle in reading.bundles for record in bundle.records if record.topic == "a.dead-letters"):
        headers = {name: int(value or b"") for name, value in record.headers if name.endswith("syncmarker")}
        found |= set(range(headers.get("mplus_first_syncmarker", headers["ce_syncmarker"]), headers["ce_syncmarker"] + 1))
    return found

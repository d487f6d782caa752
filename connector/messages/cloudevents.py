"""CloudEvents headers of the entities' events: a contract, see docs/topics.md. Pure."""

CE_SPEC_VERSION, CE_SOURCE, CE_ID, CE_TYPE = "ce_specversion", "ce_source", "ce_id", "ce_type"
CE_SUBJECT, CE_TIME, CE_DATA_SCHEMA = "ce_subject", "ce_time", "ce_dataschema"
CE_SYNC_MARKER, CE_ORIGIN, CE_INFERRED = "ce_syncmarker", "ce_origin", "ce_inferred"
"""Extensions: the source offset; why it was published (one of the four below); nobody said that it was deleted."""

POLL, LATE, RESYNC, REPAIR = "poll", "late", "resync", "repair"
REPUBLISHED = frozenset({RESYNC.encode(), REPAIR.encode()})
"""Origins of what was asked for again: no news of the shop."""


class CloudEvents:
    """CloudEvents 1.0 headers (binary mode) for events that share source, entity, time and origin: those of a page.

    `time` is RFC 3339; `epoch` counts the restores of the POS after which markers came again.
    """

    def __init__(self, administration: str, entity: str, time: str, origin: str, epoch: int) -> None:
        self._prefix, self._suffix = f"{entity}:", f":e{epoch}" if epoch else ""
        self._changed = (CE_TYPE, f"mplus-connector.{entity}.changed".encode())
        self._deleted = (CE_TYPE, f"mplus-connector.{entity}.deleted".encode())
        self._shared = [
            ("content-type", b"application/json"),
            (CE_SPEC_VERSION, b"1.0"),
            (CE_SOURCE, f"/mplus/{administration}".encode()),
            (CE_TIME, time.encode()),
            (CE_DATA_SCHEMA, f"urn:mplus-connector:entity:{entity}".encode()),
            (CE_ORIGIN, origin.encode()),
        ]

    def headers(self, identity: str, marker: int, *, deleted: bool) -> list[tuple[str, bytes]]:
        """Headers of one event: the same change always has the same `ce_id`."""
        return [
            *self._shared,
            (CE_ID, f"{self._prefix}{identity}:{marker}{self._suffix}".encode()),
            self._deleted if deleted else self._changed,
            (CE_SUBJECT, identity.encode()),
            (CE_SYNC_MARKER, b"%d" % marker),
        ]

    def gone(self, identity: str, marker: int) -> list[tuple[str, bytes]]:
        """Headers for an item that is not there any more, though nobody said that it was deleted; last seen at this marker."""
        found = {**dict(self.headers(identity, marker, deleted=True)), CE_INFERRED: b"true"}
        return list({**found, CE_ID: f"{self._prefix}{identity}:gone-{marker}{self._suffix}".encode()}.items())

"""CloudEvents headers of the entities' events: a contract, see docs/topics.md. Pure."""


class CloudEvents:
    """CloudEvents 1.0 headers (binary mode) for events that share source, entity, time and origin: those of a page.

    `time` is RFC 3339; `epoch` counts the restores of the POS after which markers came again.
    """

    def __init__(self, administration: str, entity: str, time: str, origin: str, epoch: int) -> None:
        self._prefix, self._suffix = f"{entity}:", f":e{epoch}" if epoch else ""
        self._changed = ("ce_type", f"mplus-connector.{entity}.changed".encode())
        self._deleted = ("ce_type", f"mplus-connector.{entity}.deleted".encode())
        self._shared = [
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_source", f"/mplus/{administration}".encode()),
            ("ce_time", time.encode()),
            ("ce_dataschema", f"urn:mplus-connector:entity:{entity}".encode()),
            ("ce_origin", origin.encode()),
        ]

    def headers(self, identity: str, marker: int, *, deleted: bool) -> list[tuple[str, bytes]]:
        """Of one event: the same change always has the same `ce_id`."""
        return [
            *self._shared,
            ("ce_id", f"{self._prefix}{identity}:{marker}{self._suffix}".encode()),
            self._deleted if deleted else self._changed,
            ("ce_subject", identity.encode()),
            ("ce_syncmarker", b"%d" % marker),
        ]

    def gone(self, identity: str, marker: int) -> list[tuple[str, bytes]]:
        """Of an item that is not there any more, though nobody said that it was deleted; last seen at this marker."""
        found = {**dict(self.headers(identity, marker, deleted=True)), "ce_inferred": b"true"}
        return list({**found, "ce_id": f"{self._prefix}{identity}:gone-{marker}{self._suffix}".encode()}.items())

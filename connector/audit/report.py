"""What an audit found, as an event and in words. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from connector.audit.verdict import Finding, Kind
from connector.kafka.records import Headers
from connector.messages.cloudevents import CE_ID, CE_SOURCE, CE_SPEC_VERSION, CE_SUBJECT, CE_TIME, CE_TYPE

SHOWN = 1000
"""Findings in a report, at most: the counts say how many there are."""

CLEAN, HOLES, UNFINISHED = "clean", "holes", "unfinished"


@dataclass(frozen=True, slots=True)
class Report:
    """The report of one entity. `mended` counts what a repair has closed; `nameless`: items without a readable name.

    `operations` are those that were read. `problem` says why it could not be finished, `warnings` what else did not work.
    """

    id: str
    administration: str
    entity: str
    started: str
    ended: str
    marker: int | None = None
    source: int = 0
    topic: int = 0
    findings: Sequence[Finding] = ()
    mended: int = 0
    nameless: int = 0
    operations: Sequence[str] = ()
    warnings: Sequence[str] = ()
    problem: str = ""
    counts: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        found = Counter(finding.kind for finding in self.findings)
        object.__setattr__(self, "counts", {kind.value: found[kind] for kind in Kind})

    @property
    def result(self) -> str:
        """The verdict in one word."""
        if any(finding.kind.hole for finding in self.findings):
            return HOLES
        return UNFINISHED if self.problem or any(finding.kind.open for finding in self.findings) else CLEAN

    def row(self) -> dict[str, Any]:
        """The event's value."""
        named = {"id": self.id, "administration": self.administration, "entity": self.entity, "result": self.result}
        counted = {
            "syncMarker": self.marker,
            "source": self.source,
            "topic": self.topic,
            **self.counts,
            "nameless": self.nameless,
            "repaired": self.mended,
        }
        said = {"operations": [*self.operations], "warnings": [*self.warnings], "problem": self.problem}
        shown = [_row(each) for each in self.findings[:SHOWN]]
        return {**named, **counted, **said, "startedAt": self.started, "endedAt": self.ended, "findings": shown}

    def headers(self) -> Headers:
        """CloudEvents 1.0, as the entities' events have them."""
        return [
            ("content-type", b"application/json"),
            (CE_SPEC_VERSION, b"1.0"),
            (CE_SOURCE, f"/mplus/{self.administration}".encode()),
            (CE_ID, f"audit:{self.entity}:{self.id}".encode()),
            (CE_TYPE, b"mplus-connector.audit.reported"),
            (CE_SUBJECT, self.entity.encode()),
            (CE_TIME, self.ended.encode()),
        ]

    def encode(self) -> bytes:
        """The record's value."""
        return orjson.dumps(self.row())


def _row(finding: Finding) -> dict[str, Any]:
    row = {"kind": finding.kind.value, "identity": finding.identity, "syncMarker": finding.marker}
    if finding.last is not None:
        return {**row, "lastSyncMarker": finding.last, "reason": finding.reason}
    return {**row, "topicSyncMarker": finding.topic_marker}


WORDS = {
    Kind.MISSING: "missing in Kafka",
    Kind.STALE: "stale in Kafka",
    Kind.GONE: "gone at the source",
    Kind.UNREAD: "not read yet",
    Kind.UNPROVEN: "not proven gone, since an item of the source cannot be read",
    Kind.UNREADABLE: "unreadable at the source",
    Kind.DEAD_LETTER: "in dead letters",
    Kind.EXPIRED: "removed by the topic's retention",
}


def words(report: Report, most: int = 20) -> list[str]:
    """Lines for people: the result, then the findings, at most so many."""
    found = ", ".join(f"{report.counts[kind]} {text}" for kind, text in WORDS.items() if report.counts[kind])
    where = "" if report.marker is None else f", up to sync marker {report.marker}"
    compared = f"{report.source} at the source, {report.topic} in the topic{where}"
    mended = f"{report.mended} repaired; " if report.mended else ""
    compared += f", {report.nameless} that cannot be named" if report.nameless else ""
    compared += f", read with {' and '.join(report.operations)}" if report.operations else ""
    text = f"{report.administration} {report.entity}: {report.result}: {mended}{found or 'nothing missing'} ({compared})"
    if report.problem:
        text = f"{report.administration} {report.entity}: {report.result}: {found + '; ' if found else ''}{report.problem}"
    shown = [f"  {WORDS[each.kind]}: {_found(each)}" for each in report.findings[:most]]
    more = len(report.findings) - len(shown)
    return [text, *shown, *([f"  and {more} more"] if more > 0 else [])]


def _found(finding: Finding) -> str:
    if finding.last is None:
        return f"{_printable(finding.identity)}{_markers(finding)}"
    between = str(finding.marker) if finding.last == finding.marker else f"{finding.marker} to {finding.last}"
    return f"sync marker {between}" + (f" ({_printable(finding.reason)})" if finding.reason else "")


def _printable(identity: str) -> str:
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in identity)


def _markers(finding: Finding) -> str:
    there = "–" if finding.marker is None else str(finding.marker)
    here = "–" if finding.topic_marker is None else str(finding.topic_marker)
    return f" (source {there}, topic {here})"

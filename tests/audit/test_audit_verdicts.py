"""What differs between two sides, what that means, and how it is told. Pure, but for the journal's file."""

from pathlib import Path

import pytest

from connector.audit.journal import PageLine, journal
from connector.audit.repairing import requests
from connector.audit.report import Report, words
from connector.audit.verdict import Finding, Kind, Reach, judge
from connector.audit.versions import NONE, UNKNOWN, Target, Versions
from connector.audit.walk import Place
from connector.errors import Fatal
from connector.messages.control import GONE_MAX, ITEMS_MAX, wanted

CASES = {
    "the same": (Target(5), 5, True, None),
    "nowhere": (Target(NONE), NONE, True, None),
    "newer than what was read": (Target(5), 101, True, None),
    "newer than the connector itself": (Target(5), 201, True, Kind.STALE),
    "of before a restore, and not at the source": (Target(NONE), 201, True, Kind.GONE),
    "deleted and absent": (Target(5, deleted=True), NONE, True, None),
    "deleted, its event there": (Target(5, deleted=True), 5, True, None),
    "deleted, an older state there": (Target(5, deleted=True), 4, True, Kind.STALE),
    "not in Kafka": (Target(5), NONE, True, Kind.MISSING),
    "older in Kafka": (Target(5), 4, True, Kind.STALE),
    "another one in Kafka, of before a restore": (Target(5), 50, True, Kind.STALE),
    "a record without a marker": (Target(5), UNKNOWN, True, Kind.STALE),
    "not at the source": (Target(NONE), 4, True, Kind.GONE),
    "not read yet": (Target(5), NONE, False, Kind.UNREAD),
}


@pytest.mark.parametrize("name", CASES)
def test_a_difference_is_judged(name: str) -> None:
    """By both versions, by how far the source was read, and by how far the connector has."""
    target, topic, read, expected = CASES[name]
    assert expected == judge(target, topic, Reach(100, 200), read=read)


def test_the_latest_state_of_both_sides_stands() -> None:
    """At the source the highest marker, in whichever order it is shown; in the topic the last record."""
    versions = Versions()
    versions.show(b"a", 7)
    versions.show(b"a", 3, deleted=True)
    versions.record(b"a", 7)
    versions.show(b"b", 9, deleted=True)
    versions.record(b"c", 5)
    versions.record(b"c", 2)
    assert ({b"b", b"c"}, {b"b"}, (2, 2)) == (set(versions.differing()), versions.deleted, versions.counts())
    versions.hide(b"b")
    assert [b"c"] == list(versions.differing())


def test_a_journal_holds_all_whole_pages(tmp_path: Path) -> None:
    """A torn last line is cut off, and the next page follows the last whole one."""
    path = tmp_path / "deep" / "a.jsonl"
    pages = [
        PageLine(10, [("1", 4, False), ("2", 10, True)], operations=("getOrders",)),
        PageLine(20, [], 1, (("3", 11, 20),), Place(12, 13, "cut")),
    ]
    with journal(path) as written:
        assert written.head() is None
        written.begin({"entity": "order"})
        for page in pages:
            written.add(page)
    with path.open("ab") as file:
        file.write(b'[30,[["3"')
    with journal(path) as again:
        assert {"entity": "order"} == again.head()
        assert pages == list(again.pages())
        again.add(PageLine(40, []))
        with pytest.raises(Fatal, match="another audit"), journal(path):
            pass
    with journal(path) as third:
        third.head()
        assert [*pages, PageLine(40, [])] == list(third.pages())
        third.forget()
        assert third.head() is None
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """And where else it could be; the audit goes on with a journal that keeps nothing."""
    (tmp_path / "file").write_text("")
    said: list[str] = []
    for path in (tmp_path / "file" / "a.jsonl", tmp_path, None):
        with journal(path, said.append) as nothing:
            nothing.begin({"entity": "order"})
            nothing.add(PageLine(10, []))
            assert (None, []) == (nothing.head(), list(nothing.pages()))
            nothing.forget()
    assert [True, True] == ["XDG_STATE_HOME" in line for line in said]


def test_repairs_are_asked_in_requests_that_a_worker_takes() -> None:
    """By rising markers, each finding once, what is gone apart."""
    findings = [Finding(Kind.MISSING, str(number), number, None) for number in range(ITEMS_MAX + 3, 0, -1)]
    findings += [Finding(Kind.GONE, f"g{number}", None, number) for number in range(GONE_MAX + 1)]
    asked = list(requests("order", findings, "me"))
    assert [ITEMS_MAX, 3, 0, 0] == [len(request.items) for request in asked]
    assert [0, 0, GONE_MAX, 1] == [len(request.gone) for request in asked]
    for request in asked:
        assert wanted([list(row) for row in request.items], [list(row) for row in request.gone])
    assert ("1", 1) == asked[0].items[0]


def test_a_report_says_what_there_is() -> None:
    """In one word, in counts, and a line per finding up to a bound."""
    holes = [Finding(Kind.MISSING, str(number), number, None) for number in range(30)]
    report = Report("i", "shop", "order", "s", "e", 99, 30, 0, [*holes, Finding(Kind.DEAD_LETTER, "x", 3, None)])
    assert ("holes", 30, 1) == (report.result, report.row()["missing"], report.row()["deadLetter"])
    lines = words(report)
    assert (
        "shop order: holes: 30 missing in Kafka, 1 in dead letters (30 at the source, 0 in the topic, up to sync marker 99)"
        == lines[0]
    )
    assert ("  missing in Kafka: 0 (source 0, topic –)", "  and 11 more") == (lines[1], lines[-1])
    assert "clean" == Report("i", "shop", "order", "s", "e", findings=[Finding(Kind.EXPIRED, "x", 3, None)]).result
    assert "unfinished" == Report("i", "shop", "order", "s", "e", findings=[Finding(Kind.UNREAD, "x", 3, None)]).result
    assert "unfinished" == Report("i", "shop", "order", "s", "e", problem="no POS").result

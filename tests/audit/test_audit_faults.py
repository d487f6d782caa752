"""Connectors with faults, told by what they left in Kafka: an audit that shares their code would be blind to them."""

import json
import pwd
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.audit import asking
from connector.audit.auditing import Audit
from connector.cli.audit import _state
from connector.errors import Retry
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.soap.writing import item_xml
from tests.support.program import at, ended
from tests.support.source.controlling import final
from tests.support.source.holes import audited, found, lettered, plant, positioned
from tests.support.source.polling import configuration, eventually, level, only, positions, truth, working

QUICK = {"audit_requests_per_second": 200, "page_size": 40}


def with_article_at(pos: Sandbox, identity: str, own: int) -> int:
    """A product that keeps this marker of its own, while one of its articles has the highest; that one."""
    item = pos.shop.sequences["article"].by_identity[identity]
    whole = item_xml(pos.shop, item, "whole")
    marker = b"<ns:syncMarker>%d</ns:syncMarker>" % item.marker
    head, _, articles = whole.partition(b"<ns:articleList>")
    assert marker in articles
    item.xml["whole"] = head.replace(marker, b"<ns:syncMarker>%d</ns:syncMarker>" % own) + b"<ns:articleList>" + articles
    return item.marker


async def test_what_faulty_connectors_passed_over_is_found_named_and_closed(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """A page that was none believed, so 1 of 50 published; an article below its product; a page that was skipped. Exit code 1.

    Then a worker is asked for the first and the last, in requests as ever, and publishes them.
    """
    entities = ("relation", "article", "receipt")
    async with Sandbox(SandboxOptions(items=0)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=entities, **QUICK)
        async with working(config):
            pass
        for entity in entities * 50:
            pos.shop.create(entity)
        shown = {entity: truth(pos, entity) for entity in entities}
        product, _ = shown["article"][30]
        expected = with_article_at(pos, product, 5)
        written = {"articles": [*shown["article"][:30], *shown["article"][31:], (product, 5)]}
        written["relations"] = shown["relation"][:1]  # an empty topic would be taken for a lost one
        written["receipts"] = [*shown["receipt"][:10], *shown["receipt"][30:]]
        for topic, rows in written.items():
            for identity, marker in rows:
                await plant(bootstrap, f"{prefix}.{topic}", identity, b"{}", marker)
        for entity in entities:
            await positioned(bootstrap, config, entity, pos.shop.heads()[entity])
        env = at(pos, bootstrap, prefix, XDG_STATE_HOME=tmp_path, CONNECTOR_ENTITIES=",".join(entities), CONNECTOR_PAGE_SIZE=40)
        audit = await ended("audit", "--json", env=env | {"CONNECTOR_AUDIT_REQUESTS_PER_SECOND": "200"})
        reports = {row["entity"]: row for row in map(json.loads, audit.out.splitlines())}
        assert (1, {"holes"}) == (audit.code, {row["result"] for row in reports.values()}), audit.err
        relations, articles, receipts = ([_short(each) for each in reports[entity]["findings"]] for entity in entities)
        assert [("missing", *row, None) for row in shown["relation"][1:]] == relations
        assert [("stale", product, expected, 5)] == articles
        assert [("missing", *row, None) for row in shown["receipt"][10:30]] == receipts
        assert [["getRelations"], ["getProducts"], ["getReceipts"]] == [reports[entity]["operations"] for entity in entities]

        async with working(config):
            mended = await audited(config, tmp_path, "relation", "receipt", repair=True)
    assert {("clean", 49), ("clean", 20)} == {(report.result, report.mended) for report in mended.values()}
    assert dict(shown["relation"][1:]) == await final(bootstrap, f"{prefix}.relations")


def _short(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["kind"], row["identity"], row["syncMarker"], row["topicSyncMarker"]


async def test_letters_of_another_epoch_excuse_nothing(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """After a restore the same marker is of another item; letters that do not say their epoch are of the first."""
    async with Sandbox(only("relation", 0)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        async with working(config):
            pass
        rows = [(item.identity, item.marker) for item in (pos.shop.create("relation") for _ in range(4))]
        for (_, marker), epoch in zip(rows[:3], (None, 0, 1), strict=True):
            await lettered(bootstrap, prefix, "relation", marker, epoch)
        excused = {}
        for epoch in (0, 1, 2):
            await positioned(bootstrap, config, "relation", rows[-1][1], epoch=epoch)
            (report,) = (await audited(config, tmp_path, "relation")).values()
            excused[epoch] = {identity for kind, identity in found(report) if kind == "deadLetter"}
            assert 4 - len(excused[epoch]) == report.counts["missing"]
        await lettered(bootstrap, prefix, "relation", rows[-1][1], 2, first=rows[1][1])
        (ranged,) = (await audited(config, tmp_path, "relation")).values()
    assert {0: {rows[0][0], rows[1][0]}, 1: {rows[2][0]}, 2: set()} == excused
    assert {("missing", rows[0][0]), *(("deadLetter", identity) for identity, _ in rows[1:])} == found(ranged)


async def test_a_letter_excuses_its_own_item_and_no_other_at_its_marker(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """One that does not say whose it is excuses whichever is missing there."""
    async with Sandbox(only("relation", 0)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        async with working(config):
            pass
        mended, hole, nameless = [pos.shop.create("relation") for _ in range(3)]
        await plant(bootstrap, f"{prefix}.relations", mended.identity, b"{}", mended.marker)
        await lettered(bootstrap, prefix, "relation", hole.marker, identity=mended.identity)
        await lettered(bootstrap, prefix, "relation", nameless.marker)
        await positioned(bootstrap, config, "relation", nameless.marker)
        (report,) = (await audited(config, tmp_path, "relation")).values()

    assert {("missing", hole.identity), ("deadLetter", nameless.identity)} == found(report)


async def test_a_gap_that_the_connector_still_waits_for_is_no_hole(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Nor is one at which nothing ever appeared; what the POS shows at a marker that is waited for no longer is one."""
    async with Sandbox(only("relation", 0)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        async with working(config):
            pass
        rows = [(item.identity, item.marker) for item in (pos.shop.create("relation") for _ in range(6))]
        pos.shop.reserve("relation")
        rows.append(((last := pos.shop.create("relation")).identity, last.marker))
        late, (name, marker) = rows[2], rows[4]
        for identity, at_ in (row for row in rows if row not in (late, (name, marker))):
            await plant(bootstrap, f"{prefix}.relations", identity, b"{}", at_)
        await plant(bootstrap, f"{prefix}.relations", name, b"{}", marker)
        gaps = [[late[1], late[1], 60_000], [marker + 2, marker + 2, 60_000]]
        await positioned(bootstrap, config, "relation", rows[-1][1], gaps=gaps)
        (waited,) = (await audited(config, tmp_path, "relation", wait=0)).values()
        await positioned(bootstrap, config, "relation", rows[-1][1], gaps=gaps[1:])
        (given_up,) = (await audited(config, tmp_path, "relation", wait=0)).values()
        await plant(bootstrap, f"{prefix}.relations", late[0], b"{}", late[1])
        (published_late,) = (await audited(config, tmp_path, "relation", wait=0)).values()
    assert ("unfinished", {("unread", late[0])}) == (waited.result, found(waited))
    assert ("holes", {("missing", late[0])}) == (given_up.result, found(given_up))
    assert ("clean", set()) == (published_late.result, found(published_late))


async def test_the_newer_operation_is_read_whatever_was_read_before(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """And the report says which: a worker that stays with the older one is seen by that, and by what only the newer one shows."""
    async with Sandbox(only("purchaseOrder", 5)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("purchaseOrder",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["purchaseOrder"])
        pos.faults.missing_operations = frozenset({"getPurchaseOrdersV2"})
        (older,) = (await audited(config, tmp_path, "purchaseOrder")).values()
        pos.faults.missing_operations = frozenset()
        (newer,) = (await audited(config, tmp_path, "purchaseOrder")).values()
    assert [("clean", ["getPurchaseOrders"]), ("clean", ["getPurchaseOrdersV2"])] == [
        (report.result, report.row()["operations"]) for report in (older, newer)
    ]


async def test_a_place_that_cannot_be_read_is_told_and_the_rest_audited(
    bootstrap: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not proven, unless a dead letter stands for the item there; what is missing elsewhere is found nevertheless."""
    monkeypatch.setattr(asking, "BODY_BYTES_MAX", 1 << 19)
    async with Sandbox(only("relation", 30)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["relation"])
        rows = truth(pos, "relation")
        (_, bad), (missing, marker) = rows[10], rows[20]
        item = pos.shop.sequences["relation"].by_identity[rows[10][0]]
        item.xml["whole"] = item_xml(pos.shop, item, "whole") + b" " * (1 << 19)
        await plant(bootstrap, f"{prefix}.relations", missing, None, marker)
        (report,) = (await audited(config, tmp_path, "relation", wait=0)).values()
        (place,) = [each for each in report.row()["findings"] if each["kind"] == "unreadable"]
        assert ("holes", bad, 1) == (report.result, place["lastSyncMarker"], report.counts["missing"]), report.row()
        assert {("missing", missing)} == {each for each in found(report) if each[0] == "missing"}
        await plant(bootstrap, f"{prefix}.relations", missing, b"{}", marker)
        (unproven,) = (await audited(config, tmp_path, "relation", wait=0)).values()
        assert "unfinished" == unproven.result
        await lettered(bootstrap, prefix, "relation", bad)
        (excused,) = (await audited(config, tmp_path, "relation", wait=0)).values()
        assert {"deadLetter"} >= {kind for kind, _ in found(excused) if kind != "unproven"}


def test_a_user_without_a_home_has_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs with any id; and no traceback."""

    def unknown(_: int) -> None:
        raise KeyError

    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert _state() is None


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: what is started while inside can write no larger file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_progress_that_cannot_be_kept_stops_no_audit(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """A full disk, a folder that is a file, no home: a line, once; all entities are audited, and the reports say so, too."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        entities = ("relation", "order", "deliveryMethod")
        config = configuration(bootstrap, prefix, pos, entities=entities, **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["relation", "order"])
            (tmp_path / "file").write_text("")
            env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES=",".join(entities), CONNECTOR_AUDIT_REQUESTS_PER_SECOND=200)
            for state, said in ((tmp_path / "full", "not kept any more"), (tmp_path / "file", f"not kept in {tmp_path}")):
                with files_of_at_most(40):
                    told = env | {"XDG_STATE_HOME": str(state)}
                    audit = await ended("audit", "--json", "--wait", "20", env=told, anew=True)
                rows = [json.loads(line) for line in audit.out.splitlines()]
                assert (0, ["clean"] * 3) == (audit.code, [row["result"] for row in rows]), audit.err
                assert [1, 1, 0] == [len(row["warnings"]) for row in rows]
                assert [True] == [said in line for line in audit.errors if "warning" in line]
            (report,) = (await audited(config, None, "relation", wait=20)).values()
    assert ("clean", True) == (report.result, "no home" in report.row()["warnings"][0])


async def test_late_events_are_no_holes(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """They lie below higher ones in their partitions, and the item is where the POS shows it."""
    async with Sandbox(only("relation", 6)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["relation"])
        identity = truth(pos, "relation")[0][0]
        marker = pos.shop.reserve("relation")
        others = [pos.shop.change("relation")[0] for _ in range(3)]
        heads = pos.shop.heads()["relation"]
        async with working(config) as worker:
            await level(worker, pos, ["relation"])
        pos.shop.commit_late("relation", identity, marker)
        await plant(bootstrap, f"{prefix}.relations", identity, b"{}", marker)
        (report,) = (await audited(config, tmp_path, "relation", wait=5)).values()
    assert ("clean", set()) == (report.result, found(report))
    assert marker < heads
    assert others


async def test_only_a_journal_of_the_last_day_and_of_this_version_is_gone_on_from(
    bootstrap: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one from the future, which is of a clock that was set back since, nor one that is torn."""
    async with Sandbox(only("relation", 60)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK | {"page_size": 8})
        async with working(config) as worker:
            await level(worker, pos, ["relation"])
        with monkeypatch.context() as patch:
            patch.setattr(Audit, "_suspects", _fails)
            await audited(config, tmp_path, "relation")
        path = tmp_path / f"{prefix}.{prefix}.relation.jsonl"
        head, _, pages = path.read_bytes().partition(b"\n")
        now, asked = datetime.now(UTC), dict[str, int]()
        changes: dict[str, dict[str, Any]] = {
            "an hour ago": {"at": (now - timedelta(hours=1)).isoformat()},
            "too long ago": {"at": (now - timedelta(hours=25)).isoformat()},
            "in the future": {"at": (now + timedelta(hours=1)).isoformat()},
            "never": {"at": None},
            "another version": {"version": 1},
        }
        for name, change in changes.items():
            path.write_bytes(orjson.dumps({**orjson.loads(head), **change}) + b"\n" + pages)
            before = pos.requests.counts["getRelations"]
            (report,) = (await audited(config, tmp_path, "relation")).values()
            assert ("clean", 60) == (report.result, report.source)
            asked[name] = pos.requests.counts["getRelations"] - before
    assert {"an hour ago"} == {name for name, count in asked.items() if count < 5}, asked


def _fails(_: Audit) -> None:
    raise Retry("a broker was away")


def _breaks(_: Audit) -> None:
    raise KeyError("the secret")


async def test_an_error_that_nobody_expected_costs_one_entity(
    bootstrap: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the report, by its kind alone."""
    async with Sandbox(only("relation", 3)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["relation"])
            monkeypatch.setattr(Audit, "_suspects", _breaks)
            (report,) = (await audited(config, tmp_path, "relation")).values()
    assert ("unfinished", True, False) == (report.result, "KeyError" in report.problem, "secret" in report.problem)


async def test_a_list_that_was_deleted_for_an_empty_answer_is_not_clean(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """A tombstone for every row, and the position knows of none; nor is one whose change nobody reads."""
    async with Sandbox(SandboxOptions(items=2)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("deliveryMethod",), **QUICK)
        names = sorted(pos.shop.lists.rows["deliveryMethod"])
        async with working(config) as worker:
            await eventually(lambda: worker.status.rows().get((prefix, "deliveryMethod"), {}).get("position") == len(names))
        _, row = (await positions(bootstrap, prefix))["deliveryMethod"]
        pos.shop.lists.change("deliveryMethod")
        (changed,) = (await audited(config, tmp_path, "deliveryMethod", wait=0)).values()
        for name in names:
            await plant(bootstrap, f"{prefix}.delivery-methods", name, None, 9)
        (lost,) = (await audited(config, tmp_path, "deliveryMethod", wait=0)).values()
        await positioned(bootstrap, config, "deliveryMethod", 9)
        (deleted,) = (await audited(config, tmp_path, "deliveryMethod", wait=0)).values()
    assert len(names) == len(row["hashes"])
    assert ("unfinished", 1) == (changed.result, changed.counts["unread"])
    assert ("holes", len(names)) == (lost.result, lost.counts["missing"])
    assert ("unfinished", len(names)) == (deleted.result, deleted.counts["unread"])

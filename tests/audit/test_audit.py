"""Audits on a real broker: each kind of hole is found and closed, and live changes are none."""

from pathlib import Path

import orjson
import pytest

from connector.audit.auditing import Audit
from connector.audit.walk import Shown, Walk
from connector.errors import Retry
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.soap.writing import item_xml
from tests.support.kafka.topics import read_all
from tests.support.source.controlling import answered, ask, final, published, told
from tests.support.source.holes import audited, found, kept, lasts, plant, vanish
from tests.support.source.polling import configuration, eventually, headers, level, only, truth, working

QUICK = {"audit_requests_per_second": 200, "page_size": 40}


async def test_a_busy_shop_without_holes_is_clean(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """All entities, while they change all the time; a report of each is published, and nothing is asked of anybody."""
    async with Sandbox(SandboxOptions(items=25, activity=25)) as pos:
        config = configuration(bootstrap, prefix, pos, **QUICK)
        async with working(config) as worker:
            await level(worker, pos, list(pos.shop.heads()))
            reports = await audited(config, tmp_path, repair=True, wait=120)

    assert {} == {name: (report.result, report.problem) for name, report in reports.items() if report.result != "clean"}
    assert 16 == len(reports)
    rows = {record.key.decode(): record for record in await read_all(bootstrap, f"{prefix}.audit-reports")}
    assert {name: report.row() for name, report in reports.items()} == {
        name: orjson.loads(record.value) for name, record in rows.items()
    }
    assert "mplus-connector.audit.reported" == headers(rows["order"].headers)["ce_type"]
    assert [] == await told(bootstrap, prefix)
    assert {0} == {len(written) for written in kept(tmp_path)}


async def test_each_kind_of_hole_is_found_and_repaired(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Missing, stale, gone: with the ids they had, marked as repair, what is gone as inferred; then all is clean."""
    async with Sandbox(only("order", 40)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            topic, markers = f"{prefix}.orders", pos.truth()["order"]
            missing, stale, unmarked, gone, _ = list(markers)[:5]
            first = {event["ce_id"] for event in await published(bootstrap, topic)}
            await plant(bootstrap, topic, missing, None, markers[missing])
            await plant(bootstrap, topic, stale, b"{}", markers[stale] - 1)
            await plant(bootstrap, topic, unmarked, b"{}")
            await plant(bootstrap, topic, "phantom", b"{}", 7)
            last = vanish(pos, "order", gone)
            holes = {("missing", missing), ("stale", stale), ("stale", unmarked), ("gone", "phantom"), ("gone", gone)}
            (report,) = (await audited(config, tmp_path, "order")).values()
            assert ("holes", holes) == (report.result, found(report))
            assert [] == await told(bootstrap, prefix)

            (mended,) = (await audited(config, tmp_path, "order", repair=True)).values()
            assert ("clean", 5, set()) == (mended.result, mended.mended, found(mended)), mended.row()
            (after,) = (await audited(config, tmp_path, "order")).values()
            assert ("clean", 0) == (after.result, after.mended)

        repaired = [event for event in await published(bootstrap, topic) if event["ce_origin"] == "repair"]
        again = {f"order:{name}:{markers[name]}" for name in (missing, stale, unmarked)}
        inferred = {f"order:{gone}:gone-{last}", "order:phantom:gone-7"}
        assert again < first
        assert (again | inferred, 5) == ({event["ce_id"] for event in repaired}, len(repaired))
        assert inferred == {event["ce_id"] for event in repaired if event.get("ce_inferred") == "true"}
        assert inferred == {event["ce_id"] for event in repaired if event["ce_type"] == "mplus-connector.order.deleted"}
        rows = await lasts(bootstrap, topic)
        assert {gone, "phantom"} == {key for key, record in rows.items() if record.value is None}
        assert dict(truth(pos, "order")).items() <= (await final(bootstrap, topic)).items()


async def test_holes_of_stock_are_found_and_repaired(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Rows that were skipped are published under their ids; a row that never was gets its deletion and no tombstone."""
    async with Sandbox(only("stock", 30)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("stock",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["stock"])
            await ask(bootstrap, prefix, "pause", "stock")
            await answered(bootstrap, prefix, "pause", "done")
            pos.shop.change("stock", 3)
            head = pos.shop.heads()["stock"]
            await ask(bootstrap, prefix, "resync", "stock", from_=head + 1)
            await answered(bootstrap, prefix, "resync", "done")
            await ask(bootstrap, prefix, "resume", "stock")
            await answered(bootstrap, prefix, "resume", "done")
            await plant(bootstrap, f"{prefix}.stock", "1-21", b"{}", head - 1)
            await plant(bootstrap, f"{prefix}.stock", "9-99", b"{}", head)
            (report,) = (await audited(config, tmp_path, "stock")).values()
            assert (3, 2) == (report.counts["missing"], report.counts["gone"]), report.row()
            (mended,) = (await audited(config, tmp_path, "stock", repair=True)).values()
            assert ("clean", 5) == (mended.result, mended.mended), mended.row()
            assert "clean" == (await audited(config, tmp_path, "stock"))["stock"].result

    repaired = [event for event in await published(bootstrap, f"{prefix}.stock") if event["ce_origin"] == "repair"]
    assert {f"stock:{key}:{marker}" for key, marker in truth(pos, "stock") if marker > head - 3} == {
        event["ce_id"] for event in repaired if event["ce_type"].endswith(".changed")
    }
    assert {f"stock:1-21:gone-{head - 1}", f"stock:9-99:gone-{head}"} == {
        event["ce_id"] for event in repaired if event["ce_type"].endswith(".deleted")
    }
    assert all(record.value is not None for record in await read_all(bootstrap, f"{prefix}.stock"))


async def test_holes_of_a_list_are_found_and_repaired(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """By its contents; what it publishes again has the next numbers."""
    async with Sandbox(SandboxOptions(items=2)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("deliveryMethod",), **QUICK)
        topic, names = f"{prefix}.delivery-methods", sorted(pos.shop.lists.rows["deliveryMethod"])
        async with working(config) as worker:
            await eventually(lambda: worker.status.rows().get((prefix, "deliveryMethod"), {}).get("position") == len(names))
            await plant(bootstrap, topic, names[0], None, 1)
            await plant(bootstrap, topic, names[1], b'{"other":1}', 2)
            await plant(bootstrap, topic, "phantom", b"{}", 3)
            (report,) = (await audited(config, tmp_path, "deliveryMethod")).values()
            assert {("missing", names[0]), ("stale", names[1]), ("gone", "phantom")} == found(report)
            (mended,) = (await audited(config, tmp_path, "deliveryMethod", repair=True)).values()
            assert ("clean", 3) == (mended.result, mended.mended), mended.row()

    repaired = [event["ce_id"] for event in await published(bootstrap, topic) if event["ce_origin"] == "repair"]
    count = len(names)
    assert {
        f"deliveryMethod:{names[0]}:{count + 1}",
        f"deliveryMethod:{names[1]}:{count + 2}",
        "deliveryMethod:phantom:gone-3",
    } == set(repaired)


async def test_what_stands_in_dead_letters_is_told_apart(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """It is no hole; and when it can be read by now, a repair publishes it."""
    async with Sandbox(only("relation", 12)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("relation",), **QUICK)
        identity, marker = truth(pos, "relation")[5]
        item = pos.shop.sequences["relation"].by_identity[identity]
        item.xml["whole"] = item_xml(pos.shop, item, "whole").replace(b"<ns:points>", b"<ns:points>x", 1)
        async with working(config) as worker:
            await level(worker, pos, ["relation"])
            (report,) = (await audited(config, tmp_path, "relation")).values()
            assert ("clean", {("deadLetter", identity)}) == (report.result, found(report))
            item.xml.clear()
            (mended,) = (await audited(config, tmp_path, "relation", repair=True)).values()
            assert ("clean", 1) == (mended.result, mended.mended), mended.row()
    assert marker == (await final(bootstrap, f"{prefix}.relations"))[identity]


async def test_what_a_restored_pos_has_no_more_is_found_and_removed(
    bootstrap: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also items with markers beyond all that it has now, and a record that nobody can have written; whatever was read before."""
    async with Sandbox(only("order", 20)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            before = set(pos.truth()["order"])
            with monkeypatch.context() as patch:
                patch.setattr(Audit, "_suspects", _fails)
                (broken,) = (await audited(config, tmp_path, "order")).values()
            assert ("unfinished", 1) == (broken.result, len(kept(tmp_path)))
            pos.shop.fall_back("order", 8)
            await eventually(lambda: worker.status.rows()[prefix, "order"]["state"] == "head-regressed")
            (fallen,) = (await audited(config, tmp_path, "order")).values()
            assert ("unfinished", True) == (fallen.result, "resync it first" in fallen.problem)
            await ask(bootstrap, prefix, "resync", "order")
            await answered(bootstrap, prefix, "resync", "done")
            await plant(bootstrap, f"{prefix}.orders", "phantom", b"{}", 10**12)
            assert (lost := before - set(pos.truth()["order"]))
            (report,) = (await audited(config, tmp_path, "order", repair=True)).values()
            assert ("clean", len(lost) + 1) == (report.result, report.mended), report.row()
    gone = {event["key"]: event["ce_id"] for event in await published(bootstrap, f"{prefix}.orders") if "ce_inferred" in event}
    assert {*lost, "phantom"} == gone.keys()
    assert f"order:phantom:gone-{10**12}:e1" == gone["phantom"]


def _fails(_: Audit) -> None:
    raise Retry("a broker was away")


async def test_what_moves_while_the_source_is_read_is_not_gone(
    bootstrap: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ahead of the reading and beyond its last page, of an entity that the connector does not read meanwhile."""
    async with Sandbox(only("order", 60)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK | {"page_size": 10})
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            await ask(bootstrap, prefix, "pause", "order")
            await answered(bootstrap, prefix, "pause", "done")
            later, read = list(pos.truth()["order"])[30:], Walk.page

            async def moving(walk: Walk, head: int) -> Shown:
                while later:
                    pos.shop.change_item("order", later.pop())
                return await read(walk, head)

            monkeypatch.setattr(Walk, "page", moving)
            (report,) = (await audited(config, tmp_path, "order", wait=1)).values()
    assert ("unfinished", {"unread"}) == (report.result, {kind for kind, _ in found(report)})


async def test_what_the_connector_has_not_read_yet_is_no_hole(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """It is said so, and it is no proof."""
    async with Sandbox(only("order", 12)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            await ask(bootstrap, prefix, "pause", "order")
            await answered(bootstrap, prefix, "pause", "done")
            pos.shop.change_item("order", next(iter(pos.truth()["order"])))
            (report,) = (await audited(config, tmp_path, "order", repair=True)).values()
            assert ("unfinished", {"unread"}) == (report.result, {kind for kind, _ in found(report)})
            await ask(bootstrap, prefix, "resume", "order")
            await level(worker, pos, ["order"])
            assert "clean" == (await audited(config, tmp_path, "order"))["order"].result

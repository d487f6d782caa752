"""What cannot be published, and what must not leave the POS."""

import os

import orjson
import pytest

from connector.events.source import DeadLettered
from connector.sandbox import Sandbox
from connector.sandbox.soap.writing import item_xml
from connector.source.entities import Entity
from connector.wiring import kept
from tests.support.source.polling import Reading, eventually, headers, only, reading, truth
from tests.support.source.spoiled import markers, spoil

LARGEST = 64 << 10


def letter_of(read: Reading) -> dict[str, str]:
    """The headers of the one dead letter."""
    (letter,) = read.letters
    return headers(letter.headers)


async def test_an_item_that_cannot_be_decoded_is_a_dead_letter_and_the_rest_goes_on() -> None:
    """With its raw XML under the entity's name, once, in the bundle that moves the position past it; no event shows it."""
    async with Sandbox(only("relation", 12)) as pos:
        bad = markers(pos, "relation")[5]
        item = spoil(pos, "relation", bad, "<ns:points>", "<ns:points>x")
        async with reading(pos, "relation", limit=4) as read:
            await read.caught_up()
            pos.shop.create("relation")
            await read.caught_up()

            assert [pair for pair in truth(pos, "relation") if pair[1] != bad] == read.seen()
            (letter,) = read.letters
            assert b"relation" == letter.key
            assert b"<points>x" in (letter.value or b"")
            assert {
                "__connect.errors.topic": "demo.relations",
                "__connect.errors.partition": "-1",
                "__connect.errors.offset": "-1",
                "__connect.errors.stage": "decode",
                "ce_syncmarker": str(bad),
            }.items() <= headers(letter.headers).items()
            assert "points" in headers(letter.headers)["__connect.errors.exception.message"]
            assert headers(letter.headers)["__connect.errors.exception.class.name"]
            (bundle,) = [bundle for bundle in read.bundles if letter in bundle.records]
            assert bundle.position.marker >= bad
            assert [("decode", bad)] == [(told.stage, told.marker) for told in read.told if isinstance(told, DeadLettered)]
        assert item.identity not in dict(read.seen())


async def test_an_item_whose_marker_cannot_be_read_is_a_dead_letter_too() -> None:
    """It fills its place in the page, and neither stops the entity nor moves the position by itself."""
    async with Sandbox(only("relation", 12)) as pos:
        bad = markers(pos, "relation")[5]
        spoil(pos, "relation", bad, f"<ns:syncMarker>{bad}</ns:syncMarker>", "<ns:syncMarker>many</ns:syncMarker>")
        async with reading(pos, "relation", limit=100) as read:
            await read.caught_up()

            assert [pair for pair in truth(pos, "relation") if pair[1] != bad] == read.seen()
            assert "decode" == letter_of(read)["__connect.errors.stage"]
            assert "ce_syncmarker" not in letter_of(read)


async def test_a_page_of_nothing_but_undecodable_items_is_read_past() -> None:
    """One letter each, and the head is reached."""
    async with Sandbox(only("relation", 8)) as pos:
        for marker in markers(pos, "relation"):
            spoil(pos, "relation", marker, "<ns:points>", "<ns:points>x")
        async with reading(pos, "relation", limit=3) as read:
            await read.caught_up()

            assert [] == read.events
            assert [str(marker) for marker in markers(pos, "relation")] == [
                headers(it.headers)["ce_syncmarker"] for it in read.letters
            ]


async def test_an_item_without_identity_is_a_dead_letter() -> None:
    """It would have no key."""
    async with Sandbox(only("order", 8)) as pos:
        bad = markers(pos, "order")[2]
        item = next(item for item in pos.shop.sequences["order"] if item.marker == bad)
        spoil(pos, "order", bad, f"<ns:orderId>{item.identity}</ns:orderId>", "<ns:orderId></ns:orderId>")
        async with reading(pos, "order") as read:
            await read.caught_up()

            assert "no orderId" in letter_of(read)["__connect.errors.exception.message"]
            assert [pair for pair in truth(pos, "order") if pair[1] != bad] == read.seen()


async def test_an_item_that_is_too_large_is_a_dead_letter_without_its_body() -> None:
    """The broker would refuse it, and with it the whole page for ever."""
    async with Sandbox(only("relation", 8)) as pos:
        bad = markers(pos, "relation")[2]
        spoil(pos, "relation", bad, "<ns:name>", f"<ns:name>{'x' * LARGEST}")
        async with reading(pos, "relation", largest=LARGEST) as read:
            await read.caught_up()

            (letter,) = read.letters
            assert b"" == letter.value
            assert "too-large" == letter_of(read)["__connect.errors.stage"]
            assert str(bad) == letter_of(read)["ce_syncmarker"]
            assert "CONNECTOR_MAX_EVENT_BYTES" in letter_of(read)["__connect.errors.exception.message"]
            assert [pair for pair in truth(pos, "relation") if pair[1] != bad] == read.seen()


async def test_an_undecodable_item_that_is_too_large_leaves_its_body_behind() -> None:
    """The reason is kept."""
    async with Sandbox(only("relation", 3)) as pos:
        bad = markers(pos, "relation")[1]
        spoil(pos, "relation", bad, "<ns:points>", f"<ns:points>{'x' * LARGEST}")
        async with reading(pos, "relation", largest=LARGEST) as read:
            await read.caught_up()

            (letter,) = read.letters
            assert b"" == letter.value
            assert "decode" == letter_of(read)["__connect.errors.stage"]


@pytest.mark.parametrize("where", ["element", "identity"])
async def test_no_dead_letter_is_too_large_itself(where: str) -> None:
    """A reason quotes what is wrong; a POS that names things with kilobytes must not stop the lane."""
    long = "y" * (3 * LARGEST)
    async with Sandbox(only("order", 4)) as pos:
        bad = markers(pos, "order")[1]
        item = next(item for item in pos.shop.sequences["order"] if item.marker == bad)
        if where == "identity":
            spoil(pos, "order", bad, f"<ns:orderId>{item.identity}", f"<ns:orderId>{long}")
        else:
            spoil(pos, "order", bad, "<ns:order>", f"<ns:{long}>")
            spoil(pos, "order", bad, "</ns:order>", f"</ns:{long}>")
        async with reading(pos, "order", largest=LARGEST) as read:
            await read.caught_up()

            (letter,) = read.letters
            assert letter.size <= LARGEST


async def test_credentials_are_in_no_event_and_no_dead_letter() -> None:
    """Neither of an employee that can be decoded nor of one that cannot."""
    async with Sandbox(only("employee", 6)) as pos:
        xml = [item_xml(pos.shop, item, "whole").decode() for item in pos.shop.sequences["employee"]]
        secrets = {text.partition(f"<ns:{name}>")[2].partition("<")[0] for text in xml for name in ("password", "rfid")} - {""}
        assert secrets
        spoil(pos, "employee", markers(pos, "employee")[2], "<ns:employeeNumber>", "<ns:employeeNumber>x")
        async with reading(pos, "employee") as read:
            await read.caught_up()

            assert 1 == len(read.letters)
            for record in read.records:
                assert b"password" not in (record.value or b"")
                assert b"rfid" not in (record.value or b"")
                assert [] == [secret for secret in secrets if f'"{secret}"'.encode() in (record.value or b"")]
                assert [] == [secret for secret in secrets if f">{secret}<".encode() in (record.value or b"")]


async def test_what_connector_keep_names_is_kept() -> None:
    """And only that."""

    def keep(entity: Entity) -> Entity:
        return kept(entity, ("rfid",))

    async with Sandbox(only("employee", 6)) as pos, reading(pos, "employee", change=keep) as read:
        await read.caught_up()

        values = [orjson.loads(record.value or b"null") for record in read.events]
        assert any(value.get("rfid") for value in values)
        assert not any("password" in value for value in values)


async def test_pictures_stay_out_unless_they_are_kept() -> None:
    """Articles carry megabytes of them, at any depth."""
    picture = (
        "<ns:imageList><ns:image><ns:imageData>QUJD</ns:imageData><ns:thumbData>QUJD</ns:thumbData></ns:image></ns:imageList>"
    )
    async with Sandbox(only("article", 3)) as pos:
        for marker in markers(pos, "article"):
            spoil(pos, "article", marker, "</ns:article>", f"{picture}</ns:article>")
        async with reading(pos, "article") as read:
            await read.caught_up()
            assert not any(b"QUJD" in (record.value or b"") for record in read.records)
        async with reading(pos, "article", change=lambda entity: kept(entity, ("imageData",))) as read:
            await read.caught_up()
            assert all(b'"imageData":"QUJD"' in (record.value or b"") for record in read.events)
            assert not any(b"thumbData" in (record.value or b"") for record in read.records)


@pytest.mark.parametrize("entity", ["articleGroup", "activity"])
async def test_a_deletion_is_an_event_and_a_tombstone_behind_it(entity: str) -> None:
    """Together in one bundle; the tombstone is no CloudEvent and carries only the marker."""
    async with Sandbox(only(entity, 6)) as pos, reading(pos, entity) as read:
        await read.caught_up()
        before = len(read.records)
        identity = next(iter(pos.truth()[entity]))
        marker = pos.shop.delete(entity, identity)
        await read.caught_up()

        event, tombstone = read.records[before:]
        assert read.bundles[-1].records == [event, tombstone]
        assert f"mplus-connector.{entity}.deleted" == headers(event.headers)["ce_type"]
        assert orjson.loads(event.value or b"null")["isDeleted"] is True
        assert tombstone.value is None
        assert identity.encode() == event.key == tombstone.key
        assert {"ce_syncmarker": str(marker)} == headers(tombstone.headers)
        assert event.topic == tombstone.topic


async def test_an_item_as_large_as_allowed_is_an_event() -> None:
    """The bound is CONNECTOR_MAX_EVENT_BYTES, and what cannot be compressed counts too."""
    async with Sandbox(only("relation", 2)) as pos:
        fits = os.urandom((LARGEST - 6000) // 2).hex()
        spoil(pos, "relation", markers(pos, "relation")[0], "<ns:name>", f"<ns:name>{fits}")
        async with reading(pos, "relation", largest=LARGEST) as read:
            await read.caught_up()
            await eventually(lambda: len(read.events) == 2)

            assert [] == read.letters
            assert max(record.size for record in read.events) > LARGEST - 6000

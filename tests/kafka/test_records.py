"""Partitions and headers.

The numbers come from a murmur2 written from its definition and checked against Apache Kafka's own test values.
"""

from collections import Counter

import pytest

from connector.kafka.records import Record, partition_of, shard_partition
from connector.messages.cloudevents import CloudEvents
from connector.messages.dead_letter import dead_letter_headers
from connector.source.entities import ENTITIES

WORK_PARTITIONS_OF = {
    "mplus": [3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2],
    "shop-1": [7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6],
    "amsterdam": [4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3],
    "a": [5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4],
}
NUMBERS = {
    "article": 1, "articleGroup": 2, "relation": 3, "employee": 4, "invoice": 5, "receipt": 6, "order": 7, "proposal": 8,
    "stock": 9, "purchaseOrder": 10, "purchaseDelivery": 11, "relationPoints": 12, "activity": 13, "packingSlip": 14,
    "deliveryMethod": 15, "orderCategory": 16,
}  # fmt: skip
"""Fixed for ever: another number is another work partition, where the position would not be found."""


def test_the_numbers_of_the_entities_never_change() -> None:
    """They decide where positions are kept."""
    assert NUMBERS == {entity.name: entity.number for entity in ENTITIES}


@pytest.mark.parametrize("administration", WORK_PARTITIONS_OF)
def test_a_shard_stays_on_its_work_partition(administration: str) -> None:
    """In every process and version: with another partition the position would be lost and everything published again."""
    placed = [shard_partition(administration, number, 8) for number in range(1, 17)]
    assert WORK_PARTITIONS_OF[administration] == placed


@pytest.mark.parametrize("partitions", [1, 2, 3, 8, 16])
def test_the_shards_of_an_administration_spread_evenly(partitions: int) -> None:
    """No work partition has two shards more than another."""
    for administration in ("mplus", "shop-1", "x-9", "z"):
        load = Counter(shard_partition(administration, entity.number, partitions) for entity in ENTITIES)
        counts = [load[partition] for partition in range(partitions)]
        assert max(counts) - min(counts) <= 1


def test_keys_go_where_javas_partitioner_would_send_them() -> None:
    """So that others can join on them."""
    keys = {b"order": (0, 8), b"2026-17": (1, 5), b"0-1001": (1, 1), b"web-1001": (3, 11), b"": (1, 9)}
    assert keys == {key: (partition_of(key, 4), partition_of(key, 12)) for key in keys}


@pytest.mark.parametrize(("deleted", "kind"), [(False, "changed"), (True, "deleted")])
def test_an_event_has_exactly_the_headers_of_the_contract(deleted: bool, kind: str) -> None:
    """CloudEvents 1.0, Kafka binary mode, and the two extensions."""
    events = CloudEvents("demo", "order", "2026-01-01T00:00:00.000Z", "poll", 0)
    assert [
        ("ce_dataschema", b"urn:mplus-connector:entity:order"),
        ("ce_id", b"order:o-1:7"),
        ("ce_origin", b"poll"),
        ("ce_source", b"/mplus/demo"),
        ("ce_specversion", b"1.0"),
        ("ce_subject", b"o-1"),
        ("ce_syncmarker", b"7"),
        ("ce_time", b"2026-01-01T00:00:00.000Z"),
        ("ce_type", f"mplus-connector.order.{kind}".encode()),
        ("content-type", b"application/json"),
    ] == sorted(events.headers("o-1", 7, deleted=deleted))


def test_after_a_restore_of_the_pos_the_same_marker_is_another_change() -> None:
    """The epoch tells them apart."""
    events = CloudEvents("demo", "order", "2026-01-01T00:00:00.000Z", "resync", 2)
    assert b"order:o-1:7:e2" == dict(events.headers("o-1", 7, deleted=False))["ce_id"]


def test_a_dead_letter_has_the_headers_of_kafka_connect() -> None:
    """Under the names that tools for Kafka Connect look for."""
    assert {
        "__connect.errors.topic": b"t",
        "__connect.errors.partition": b"-1",
        "__connect.errors.offset": b"5",
        "__connect.errors.stage": b"decode",
        "__connect.errors.exception.class.name": b"k",
        "__connect.errors.exception.message": "é".encode(),
    } == dict(dead_letter_headers(("t", -1, 5), "decode", "k", "é"))


def test_the_size_of_a_record_counts_everything_that_is_sent() -> None:
    """Key, value, headers, and what a frame or a compression that does not help adds."""
    record = Record("t", b"k" * 100, b"v" * 25_500, [("h" * 10, b"x" * 90)])
    assert record.size >= 100 + 25_500 + 100 + 100
    assert Record("t", b"k", None).size >= 1

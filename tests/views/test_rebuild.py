"""`views --rebuild` deletes what `views` wrote, and nothing else: topics on a real broker, tables in any directory."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from connector.errors import Fatal
from connector.kafka.configured import cluster_of
from connector.kafka.topics import existing
from connector.wiring.rebuild import forget
from connector.wiring.views import app_settings
from tests.support.kafka.topics import read_all
from tests.support.program import at, ended
from tests.support.views.filling import config_of, environment, prepare

INVOICES, TABLES = "invoices-2026.pdf", "mplus-connector-views"


async def test_what_lies_beside_the_tables_stays(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Whatever directory it is: a home, or one that others use, too."""
    told = environment(bootstrap, prefix, command_partitions=1, views_data=tmp_path)
    await prepare(told)
    config = config_of(told)
    tables, journal = app_settings(config).data, tmp_path / "audit" / "journal"
    assert tables == tmp_path / TABLES
    for path in (tmp_path / INVOICES, journal, tables / "v1" / "tables" / "0.db"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    await forget(config)

    assert not tables.exists()
    assert ["mine", "mine"] == [path.read_text() for path in (tmp_path / INVOICES, journal)]
    there = await existing(cluster_of(config.kafka))
    kept = {topic for topic in there if topic.startswith(prefix) and topic.endswith(("-journeys", "-windows", "-documents"))}
    assert {f"{prefix}.order-journeys"} == kept
    assert {f"{prefix}.orders", f"{prefix}.order-commands"} <= there.keys()


async def test_the_journeys_topic_stays_and_each_journey_gets_a_tombstone(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Others read it: its settings and their offsets stay, and an order that does not come again is gone for them, too."""
    told = environment(bootstrap, prefix, command_partitions=2)
    await prepare(told)
    topic = f"{prefix}.order-journeys"
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in range(2500):
            await producer.send(topic, b"{}", f"web-{number}".encode())
        await producer.send_and_wait(topic, None, b"web-7")
        await producer.flush()
    before = {record.key: record.partition for record in await read_all(bootstrap, topic)}
    await forget(config_of(told))
    found = await read_all(bootstrap, topic)

    assert 2501 + 2499 == len(found)
    assert {(key, before[key], None) for key in before} == {
        (record.key, record.partition, record.value) for record in {record.key: record for record in found}.values()
    }


@pytest.mark.parametrize("what", ["a link", "a file"])
async def test_tables_that_cannot_be_deleted_are_said_before_topics_go(
    bootstrap: str, prefix: str, tmp_path: Path, what: str
) -> None:
    """One line; what a link points at is not deleted, and tables never outlive their topics."""
    told = environment(bootstrap, prefix, command_partitions=1, views_data=tmp_path / "data")
    await prepare(told)
    config = config_of(told)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / INVOICES).write_text("mine")
    (tmp_path / "data").mkdir()
    if what == "a link":
        (tmp_path / "data" / TABLES).symlink_to(elsewhere)
    else:
        (tmp_path / "data" / TABLES).write_text("mine")
    with pytest.raises(Fatal, match=f"{TABLES} cannot be deleted: .*: delete it, then start views --rebuild again"):
        await forget(config)

    assert "mine" == (elsewhere / INVOICES).read_text()
    assert f"{prefix}.order-journeys" in await existing(cluster_of(config.kafka))


async def test_there_is_nothing_to_delete_where_nothing_was_kept(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """In memory, or before the first start."""
    for data in ({}, {"views_data": tmp_path / "never-made"}):
        told = environment(bootstrap, prefix, command_partitions=1, **data)
        await prepare(told)
        await forget(config_of(told))

    assert f"{prefix}.views-windows" not in await existing(cluster_of(config_of(told).kafka))


async def test_a_home_is_the_same_to_whoever_writes_and_deletes(
    bootstrap: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust takes `~` for the user's home; so does what deletes the tables."""
    monkeypatch.setenv("HOME", str(tmp_path))
    told = environment(bootstrap, prefix, command_partitions=1, views_data="~/views")
    await prepare(told)
    tables = tmp_path / "views" / TABLES
    assert tables == app_settings(config_of(told)).data
    (tables / "v1").mkdir(parents=True)
    await forget(config_of(told))

    assert not tables.exists()


async def test_a_directory_that_cannot_be_made_is_one_line(prefix: str, tmp_path: Path) -> None:
    """Before anything is read: `views` waited for ever, and was not ready without a word."""
    (tmp_path / "data").write_text("a file")
    told = at("http://127.0.0.1:9", "127.0.0.1:9", prefix, CONNECTOR_VIEWS_DATA=tmp_path / "data")
    outcome = await ended("views", env=told)

    assert 1 == outcome.code
    assert f"error: CONNECTOR_VIEWS_DATA: {tmp_path}/data/{TABLES} cannot be made: Not a directory" == outcome.errors[-1]

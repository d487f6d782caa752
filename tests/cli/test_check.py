"""What `check` says about order commands."""

import json
from typing import NamedTuple

from connector.admin.check.records import astray
from connector.kafka.records import partition_of
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.kafka.producing import PARTITIONS, produce
from tests.support.program import at, ended
from tests.support.source.polling import configuration, eventually, working


class Row(NamedTuple):
    """A record as a consumer returns it, as far as it matters."""

    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def test_only_a_command_beside_its_place_is_astray() -> None:
    """One without a key has no place, and one that was redriven lies where it first lay."""
    right = partition_of(b"web-1", PARTITIONS)
    wrong = (right + 1) % PARTITIONS
    rows = [Row(right, 1, b"web-1"), Row(wrong, 2, b"web-1"), Row(wrong, 3, None), Row(wrong, 4, b"")]

    assert [f"{wrong}:2"] == astray([*rows, Row(wrong, 5, b"web-1", (("mplus_redrive", b"0:1"),))], PARTITIONS)


async def test_check_finds_producers_with_another_partitioner(bootstrap: str, prefix: str) -> None:
    """Content with commands where Java's murmur2 puts them; a problem, with what to set, when one is elsewhere."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        settings = {"command_partitions": PARTITIONS, "entities": ("order",)}
        async with working(configuration(bootstrap, prefix, pos, **settings), roles=("commands",)) as worker:
            await eventually(lambda: len(worker.status.partitions) == PARTITIONS)
        env = at(pos, bootstrap, prefix, CONNECTOR_COMMAND_PARTITIONS=PARTITIONS, CONNECTOR_ENTITIES="order")
        await produce(bootstrap, f"{prefix}.order-commands", astray=False)
        fine = await ended("check", "--json", env=env)
        await produce(bootstrap, f"{prefix}.order-commands", astray=True)
        wrong = await ended("check", "--json", env=env)

    (placed,) = [row for row in map(json.loads, fine.out.splitlines()) if "murmur2" in row["text"]]
    assert (0, "ok") == (fine.code, placed["kind"])
    assert f"{prefix}.order-commands: the last 10 commands lie where" in placed["text"]
    (problem,) = [row for row in map(json.loads, wrong.out.splitlines()) if row["kind"] == "problem"]
    assert 1 == wrong.code
    assert f"{prefix}.order-commands: 1 of the last 11 commands lie where" in problem["text"]
    assert "partitioner=murmur2_random" in problem["text"]

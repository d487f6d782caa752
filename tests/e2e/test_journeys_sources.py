"""What `views` reads: committed records only, and each administration for itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.support.connectors import until
from tests.support.kafka.topics import admin
from tests.support.views.filling import environment, fill, journeys_of, prepare, sums_of
from tests.support.views.histories import DEPOSIT, TOTAL, Made, command, complete, order
from tests.support.views.processes import ViewsProcess

SETTLE = 120.0
SHOPS = """
[kafka]
bootstrap_servers = "{bootstrap}"

[connector]
group = "{group}"
partitions = 2
command_partitions = 2

"""
SHOP = """
[[administrations]]
name = "{name}"
url = "http://127.0.0.1:1"
ident = "nobody"
secret = "nothing"
"""


async def write(producer: AIOKafkaProducer, name: str, made: Made) -> None:
    """A record of an administration, in the open transaction."""
    await producer.send_and_wait(f"{name}.{made.topic}", made.value, made.key, headers=made.headers)


async def test_what_was_never_committed_is_in_no_journey(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Neither while its transaction is open, nor after that was aborted; what follows is."""
    told = environment(bootstrap, prefix, command_partitions=1, partitions=1)
    await prepare(told)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=prefix)
    await producer.start()
    process = ViewsProcess(told, tmp_path / "log")
    try:
        await producer.begin_transaction()
        await write(producer, prefix, order(1, 10))
        await fill(told, [command(2)])
        await until(lambda: _keys(bootstrap, prefix, {"web-2"}), SETTLE, "the journey of what is committed, and no other")
        await producer.abort_transaction()
        async with producer.transaction():
            await write(producer, prefix, order(3, 30))
        await until(lambda: _keys(bootstrap, prefix, {"web-2", "web-3"}), SETTLE, "those of what is committed, and no other")
        await process.up_to_date(SETTLE)
        assert 0 == await process.stop()
    finally:
        process.end()
        await producer.stop()

    assert (1, 0) == (await sums_of(bootstrap, prefix))["changes.order"]


async def _keys(bootstrap: str, name: str, keys: set[str]) -> bool:
    found = (await journeys_of(bootstrap, name)).keys()
    assert found <= keys
    return found == keys


async def test_a_topic_that_is_made_anew_is_counted_from_its_beginning(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """As after a loss: its offsets come again, and stand for other changes."""
    told = environment(bootstrap, prefix, command_partitions=2, partitions=1)
    await prepare(told)
    process = ViewsProcess(told, tmp_path / "log")
    try:
        await fill(told, [order(number, 10 * number) for number in range(1, 101)])
        await process.up_to_date(SETTLE)
        async with admin(bootstrap) as administrator:
            await administrator.delete_topics([f"{prefix}.orders"])
        await until(lambda: _has(bootstrap, f"{prefix}.orders", there=False), SETTLE, "the topic is gone")
        await prepare(told)
        await fill(told, [order(number, 10 * number) for number in range(1001, 1081)])
        await until(lambda: _changes(bootstrap, prefix, 180), SETTLE, "each change of either is counted")
        assert 0 == await process.stop()
    finally:
        process.end()

    found = await sums_of(bootstrap, prefix)
    assert ((180, 0), (180, 180 * TOTAL)) == (found["changes.order"], found["revenue.ordered"])


async def _changes(bootstrap: str, name: str, count: int) -> bool:
    found = await sums_of(bootstrap, name)
    return all(found.get(measure, (0, 0))[0] >= count for measure in ("changes.order", "revenue.ordered"))


async def _has(bootstrap: str, topic: str, *, there: bool) -> bool:
    async with admin(bootstrap) as administrator:
        return (topic in await administrator.list_topics()) == there


async def test_each_administration_has_journeys_of_its_own(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """In one worker, also where the orders have the same names."""
    shops = {f"{prefix}-a": 2, f"{prefix}-b": 3}
    text = SHOPS.format(bootstrap=bootstrap, group=prefix) + "".join(SHOP.format(name=name) for name in shops)
    (tmp_path / "connector.toml").write_text(text)
    for name, orders in shops.items():
        told = environment(bootstrap, name, partitions=2, command_partitions=2)
        await prepare(told)
        await fill(told, (made for number in range(orders) for made in complete(number)))
        await fill(told, [order(9, 90, DEPOSIT)] if name.endswith("b") else [])
    process = ViewsProcess({}, tmp_path / "log", "--config", str(tmp_path / "connector.toml"))
    try:
        await process.up_to_date(SETTLE)
        assert 0 == await process.stop()
    finally:
        process.end()

    found: Mapping[str, Any] = {name: await journeys_of(bootstrap, name) for name in shops}
    first, second = ({key: row["state"] for key, row in journeys.items()} for journeys in found.values())
    assert {"web-0": "paid", "web-1": "paid"} == first
    assert {"web-0": "paid", "web-1": "paid", "web-2": "paid", "web-9": "deposit"} == second
    ordered = {name: (await sums_of(bootstrap, name))["revenue.ordered"] for name in shops}
    assert {f"{prefix}-a": (2, 2 * TOTAL), f"{prefix}-b": (4, 4 * TOTAL)} == ordered

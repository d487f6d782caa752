"""Records of strangers, of every odd kind, in every topic that anything of ours reads: they cost nobody anything."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import orjson
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from connector.kafka.records import header, header_text
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.connectors import until
from tests.support.kafka.odd_records import Odd, inhabit, write, zoo
from tests.support.kafka.topics import admin, partition_count, read_all
from tests.support.program import Ended, at, ended, running, started
from tests.support.sink.commanding import Commands, create, order_of
from tests.support.views.filling import environment, fill, prepare
from tests.support.views.histories import complete
from tests.support.views.processes import ViewsProcess

PAY = orjson.dumps({"commandId": "odd", "command": "payOrder", "extOrderId": "x", "prepay": True, "paymentList": []})
WORKERS = ("order-commands", "order-command-results", "connector-control", "connector-control-results", "dead-letters", "orders")
POSITIONS = ("sync-markers", "connector-status")
VIEWS = ("views-by-document", "views-by-journey", "views-figures", "views-documents", "order-journeys", "views-windows")
KEYS = (b"order", b"web-1", b"order:id-1", b"60|1795255260|changes.order|0")
"""Of positions, orders, documents and windows: as ours are."""


async def let_loose(bootstrap: str, prefix: str, topics: Sequence[str], keys: Sequence[bytes] = KEYS) -> None:
    """Everything odd into every partition of these."""
    for name in topics:
        topic = f"{prefix}.{name}"
        count = await partition_count(bootstrap, topic)
        await asyncio.gather(*(inhabit(bootstrap, topic, partition, zoo(keys, PAY)) for partition in range(count)))


async def test_a_worker_goes_on(bootstrap: str, prefix: str) -> None:
    """Both roles: commands before and behind are carried out once each, and changes are published; so after a restart."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order", CONNECTOR_PARTITIONS=1, CONNECTOR_LOG_LEVEL="warning")
        commands = Commands(bootstrap, prefix, pos)
        async with running(env) as worker:
            await worker.until("/health/ready", code=200)
            await commands.run(create("c-0", "web-0"))
            await let_loose(bootstrap, prefix, WORKERS)
            await let_loose(bootstrap, prefix, POSITIONS, [b"stranger"])
            await commands.send(*(create(f"c-{number}", f"web-{number}") for number in range(1, 9)))
            await _published(bootstrap, prefix, {f"c-{number}" for number in range(9)})
            await _seen(bootstrap, prefix, {order_of(pos, f"web-{number}")["orderId"] for number in range(9)})
            stopped = await worker.stopped()
        async with running(env) as worker:
            await worker.until("/health/ready", code=200)
            await commands.send(create("c-9", "web-9"))
            await _published(bootstrap, prefix, {"c-9"})
            again = await worker.stopped()

    assert (0, 0) == (stopped.code, again.code)
    assert all("Traceback" not in each.err for each in (stopped, again))
    assert {f"web-{number}": 1 for number in range(10)} == Counter(row["extOrderId"] for row in pos.effects)


async def _published(bootstrap: str, prefix: str, ids: set[str]) -> None:
    """Wait until each has its result."""
    async with asyncio.timeout(90):
        while True:
            told = {_id(record.value) for record in await read_all(bootstrap, f"{prefix}.order-command-results")}
            if ids <= told:
                return
            await asyncio.sleep(0.2)


async def _seen(bootstrap: str, prefix: str, orders: set[str]) -> None:
    """Wait until each is published."""
    async with asyncio.timeout(60):
        while True:
            there = [record for record in await read_all(bootstrap, f"{prefix}.orders") if header(record.headers, "ce_subject")]
            if orders <= {header_text(record.headers, "ce_subject") for record in there}:
                return
            await asyncio.sleep(0.2)


def _id(value: bytes | None) -> str:
    try:
        row = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return ""
    return str(row.get("commandId")) if isinstance(row, dict) else ""


async def test_views_goes_on(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Whatever lies in its sources and in its own topics: journeys of orders before and behind are built, and it stays ready."""
    env = environment(bootstrap, prefix, partitions=1, command_partitions=2)
    await prepare(env)
    await fill(env, complete(1))
    await let_loose(bootstrap, prefix, ("orders", "invoices", "packing-slips", "order-commands", "order-command-results"))
    await let_loose(bootstrap, prefix, VIEWS[:3])
    await fill(env, complete(2))
    views = ViewsProcess(env, tmp_path / "views.log")
    try:
        await views.up_to_date()
        assert ["paid", "paid"] == [await _state(bootstrap, prefix, name) for name in (b"web-1", b"web-2")]
        assert await views.metric("mplus_connector_views_refused_records_total") > 0
        await let_loose(bootstrap, prefix, (*VIEWS[3:], "connector-status", "dead-letters"))
        await fill(env, complete(3))
        await until(partial(_is_paid, bootstrap, prefix, b"web-3"), 60, "the last order is paid")
        await views.up_to_date()
        assert (200, 200) == ((await views.get("/"))[0], (await views.get("/health/ready"))[0])
        assert 0 == await views.stop()
    finally:
        views.end()
    assert "Traceback" not in views.said


async def _is_paid(bootstrap: str, prefix: str, key: bytes) -> bool:
    records = [row for row in await read_all(bootstrap, f"{prefix}.order-journeys") if row.key == key]
    return bool(records) and "paid" == await _state(bootstrap, prefix, key)


async def _state(bootstrap: str, prefix: str, key: bytes) -> str:
    records = [row for row in await read_all(bootstrap, f"{prefix}.order-journeys") if row.key == key]
    return str(orjson.loads(records[-1].value)["state"])


VERBS: Mapping[str, Sequence[str]] = {
    "status": ["status"],
    "status in JSON": ["status", "--json"],
    "seek": ["seek", "order", "--marker", "1", "--group", "readers"],
    "dead letters": ["dead-letters", "list"],
    "dead letters in JSON": ["dead-letters", "list", "--json"],
    "audit": ["audit", "order"],
    "pause": ["pause", "order"],
    "resume": ["resume", "order", "--json"],
    "resync": ["resync", "order", "--from", "1", "--apply"],
    "a plan": ["resync", "order", "--from", "1"],
    "find": ["order", "find", "web-0"],
    "pay": ["order", "cancel", "--ext-order-id", "web-0", "--json"],
    "check": ["check"],
}


async def test_verbs_go_on(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """All that read topics: no traceback, at most lines on stderr, and what they are asked is done."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order", CONNECTOR_PARTITIONS=1, XDG_STATE_HOME=tmp_path)
        commands = Commands(bootstrap, prefix, pos)
        async with running(env) as worker:
            await worker.until("/health/ready", code=200)
            await commands.run(create("c-0", "web-0"))
            await let_loose(bootstrap, prefix, WORKERS)
            await let_loose(bootstrap, prefix, POSITIONS, [b"stranger"])
            await commands.send(create("c-1", "web-1"))
            await _published(bootstrap, prefix, {"c-1"})
            said = {name: await ended(*verb, env=env) for name, verb in VERBS.items()}
            shown = await ended("dead-letters", "show", f"0:{await _last(bootstrap, prefix)}", env=env)
            upto = max(record.offset for record in await read_all(bootstrap, f"{prefix}.orders"))
        tails = [await _tail(env, upto, *more) for more in ((), ("--json",))]

    for name, each in [*said.items(), ("show", shown), *tails]:
        assert len(each.errors) <= 3, (name, each)
        assert "\x1b" not in each.out, name
    assert {0} == {each.code for name, each in said.items() if name not in ("audit", "check")}
    assert 1 == said["audit"].code
    assert {"order"} == {json.loads(line)["entity"] for line in said["status in JSON"].out.splitlines()}


async def _last(bootstrap: str, prefix: str) -> int:
    found: int = max(row.offset for row in await read_all(bootstrap, f"{prefix}.dead-letters") if row.partition == 0)
    return found


async def _tail(env: Mapping[str, str], upto: int, *more: str) -> tuple[str, Ended]:
    """Nothing ends a tail but a signal: it gets one when it has shown this offset."""
    process = await started("tail", "order", "--from-marker", "-1", *more, env=env)
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(60):
        while not any(mark in line for line in lines[-1:] for mark in (b"@%d " % upto, b'"offset":%d,' % upto)):
            lines.append(await process.stdout.readline())
            assert lines[-1], process.returncode
    process.terminate()
    _, err = await process.communicate()
    return f"tail {more}", Ended(process.returncode or 0, b"".join(lines).decode(), err.decode())


LONG = b"e" * 2_000_000
GIANTS = {
    "key": Odd(b"k" * 4_300_000, PAY),
    "commandId": Odd(b"web-1", orjson.dumps({"commandId": "c" * 4_300_000, "command": "cancelOrder", "extOrderId": "web-1"})),
    "extOrderId": Odd(
        b"e" * 2_000_000, orjson.dumps({"commandId": "c-e", "command": "cancelOrder", "extOrderId": "e" * 2_000_000})
    ),
    "redrive": Odd(b"web-2", orjson.dumps(create("c-r", "web-2")), [(b"mplus_redrive", b"0:" + b"1" * 4_300_000)]),
    "headers": Odd(b"web-3", b"no JSON", [(b"h" * 2_000_000, b"v" * 2_000_000), (b"i", b"v" * 3_000_000)]),
    "value": Odd(b"web-4", b"v" * 8_300_000),
}


async def test_what_is_as_large_as_the_topic_takes(bootstrap: str, prefix: str) -> None:
    """Keys, ids and headers of megabytes: results and ledger take what Kafka takes by default, and nothing is stuck there."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order")
        commands = Commands(bootstrap, prefix, pos)
        async with running(env) as worker:
            await worker.until("/health/ready", code=200)
            async with admin(bootstrap) as client:
                await client.alter_configs([_small(f"{prefix}.{name}") for name in ("order-command-results", "command-ledger")])
            for partition in range(2):
                for row in GIANTS.values():
                    await write(bootstrap, f"{prefix}.order-commands", partition, [row])
            await commands.send(*(create(f"c-{number}", f"web-{number + 10}") for number in range(8)))
            await _published(bootstrap, prefix, {f"c-{number}" for number in range(8)})
            letters = await read_all(bootstrap, f"{prefix}.dead-letters")

    whole = Counter((row.key, row.value) for row in letters)
    assert {2} == {whole[row.key, row.value] for name, row in GIANTS.items() if name != "redrive"}
    assert {"web-2": 1} | {f"web-{number + 10}": 1 for number in range(8)} == Counter(row["extOrderId"] for row in pos.effects)


def _small(topic: str) -> ConfigResource:
    """Kafka's own limit, whatever its brokers say."""
    return ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "1048588"})

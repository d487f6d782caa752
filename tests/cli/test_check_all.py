"""What `check` says of several administrations, of what is no POS, and of this machine."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector.admin.check.records import behind
from connector.kafka.cluster import Cluster
from connector.kafka.reading.latest import last_records
from connector.sandbox import Sandbox, SandboxOptions
from connector.wiring.descriptors import needed
from tests.support.kafka.certificates import certificate
from tests.support.kafka.producing import produce
from tests.support.kafka.topics import create_topic
from tests.support.program import at, ended, environment
from tests.support.source.polling import configuration

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that gives one answer, whatever it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def administrations(prefix: str, bootstrap: str, places: dict[str, tuple[str, str, str]], **more: str) -> str:
    """A file of several."""
    lines = [f'[kafka]\nbootstrap_servers = "{bootstrap}"', f'[connector]\ngroup = "{prefix}"\nentities = "order"']
    for name, (url, ident, secret) in places.items():
        lines.append(f'[[administrations]]\nadministration = "{name}"\nurl = "{url}"\nident = "{ident}"\nsecret = "{secret}"')
        lines += [f'cafile = "{more[name]}"'] if name in more else []
    return "\n".join(lines) + "\n"


async def test_what_is_no_pos_is_one_line_and_the_others_are_looked_at(tmp_path: Path, bootstrap: str, prefix: str) -> None:
    """Cookies that nobody can send back, rubbish, an alert after the handshake: each a problem of its administration."""
    cert, context = certificate(tmp_path, "IP:127.0.0.1", 9)
    context.verify_mode = ssl.CERT_REQUIRED  # told, with TLS 1.3, when the client believes that it is connected
    cookie = "HTTP/1.1 200 OK\r\nSet-Cookie: winkel=Caf\u00e9\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    async with (
        answering(cookie) as cookies,
        answering(b"\x00\xff" * 500) as rubbish,
        answering(b"", context) as alert,
        Sandbox(SandboxOptions(items=3)) as pos,
    ):
        bad = {"a-cookies": f"http://127.0.0.1:{cookies}", "b-rubbish": f"http://127.0.0.1:{rubbish}"}
        bad |= {"c-alert": f"https://127.0.0.1:{alert}", "d-nobody": "http://127.0.0.1:1"}
        places = {name: (url, "me", "secret") for name, url in bad.items()} | {"good": (pos.url, pos.ident, pos.secret)}
        file = tmp_path / "several.toml"
        file.write_text(administrations(prefix, bootstrap, places, **{"c-alert": cert}))
        said = await ended("check", "--json", "--config", str(file), env=environment())

    assert [] == said.errors
    found = [json.loads(line) for line in said.out.splitlines()]
    told = [row["text"].split(":")[0] for row in found if row["kind"] == "problem"]
    assert (1, list(bad)) == (said.code, told)
    assert [row for row in found if row["kind"] == "ok" and row["text"].startswith("good: the POS answers")]


LIMITED = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "


async def program(code: str, *cluster: str, env: dict[str, str]) -> str:
    """Standard output of Python code that begins with limits of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *cluster, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    return (await process.communicate())[0].decode()


@pytest.mark.parametrize(("soft", "hard"), [(100, 400), (400, 400)])
async def test_the_soft_limit_becomes_the_hard_one(soft: int, hard: int) -> None:
    """And is never lowered."""
    code = LIMITED.format(soft=soft, hard=hard) + (
        "from connector.wiring.descriptors import raise_limit; raise_limit(); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert f"({hard}, {hard})" == (await program(code, env=environment())).strip()


async def test_check_compares_descriptors_with_what_is_needed(bootstrap: str, prefix: str) -> None:
    """A problem with the number to set, where the hard limit is below."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        wanted = needed(configuration(bootstrap, prefix, pos, command_partitions=90))
        env = at(pos, bootstrap, prefix, CONNECTOR_COMMAND_PARTITIONS=90, CONNECTOR_ENTITIES="order")
        code = "sys.argv[0] = 'connector'; runpy.run_module('connector', run_name='__main__')"
        short, enough = await asyncio.gather(
            *(program(LIMITED.format(soft=n, hard=n) + code, "check", "--json", env=env) for n in (wanted - 1, wanted))
        )
    assert f"a worker may need {wanted} file descriptors for this configuration, and may have {wanted - 1} here" in short
    assert "file descriptors" not in enough
    assert "Kafka answers" in enough


async def test_a_clock_that_is_behind_is_seen_in_what_the_broker_wrote(bootstrap: str, prefix: str) -> None:
    """The broker writes its own time into commands."""
    await create_topic(bootstrap, prefix, 4, message_timestamp_type="LogAppendTime")
    await produce(bootstrap, prefix, astray=False)
    records = await last_records(Cluster(bootstrap), prefix, 4, 5)
    newest = max(record.timestamp for record in records) / 1000

    assert [] == behind("shop", records, newest)
    (finding,) = behind("shop", records, newest - 3600)
    assert ("problem", "shop: this machine's clock is at least 3600 s behind the broker's: set it right") == (
        finding.kind,
        finding.text,
    )

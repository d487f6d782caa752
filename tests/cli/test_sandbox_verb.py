"""`sandbox` as its users start it."""

import asyncio
from pathlib import Path

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.program import SECRET, ended, environment, killed, started


async def test_a_taken_port_is_one_line() -> None:
    """It names the address, exit code 1."""
    async with Sandbox(SandboxOptions(items=1)) as pos:
        port = pos.url.rstrip("/").rpartition(":")[2]
        outcome = await ended("sandbox", "--port", port, "--secret", SECRET, env=environment())
    assert (1, "") == (outcome.code, outcome.out)
    (line,) = outcome.errors
    assert line.startswith(f"error: the sandbox cannot serve on 127.0.0.1:{port}: ")


@pytest.mark.parametrize(
    "options",
    [
        ("--host", "no-such-host.invalid"),
        ("--tls-cert", "none.pem"),
        ("--tls-cert", "{rubbish}"),
        ("--port", "-1"),
        ("--late", "2"),
    ],
)
async def test_what_it_cannot_serve_with_is_one_line(options: tuple[str, str], tmp_path: Path) -> None:
    """A host, a certificate, a port or a share that is none: no traceback."""
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    outcome = await ended("sandbox", "--port", "0", *(option.format(rubbish=rubbish) for option in options), env=environment())
    assert outcome.code in (1, 2)
    (line,) = outcome.errors
    assert line.startswith("error: ")


async def test_late_changes_can_be_asked_for() -> None:
    """`--late` and `--late-seconds` start it as ever."""
    process = await started("sandbox", "--port", "0", "--items", "5", "--late", "0.1", "--late-seconds", "1", env=environment())
    try:
        async with asyncio.timeout(30):
            assert process.stdout
            assert b"sandbox listening on" in await process.stdout.readline()
    finally:
        await killed(process)

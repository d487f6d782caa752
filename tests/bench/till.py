"""A sandbox that answers every call after 10 ms, in a process of its own: `python -m tests.bench.till`."""

import asyncio
import sys

from connector.sandbox import Sandbox, SandboxOptions

ANSWERS_AFTER = 0.010


async def serve() -> None:
    """Until stdin closes; the first line printed is the port."""
    async with Sandbox(SandboxOptions(items=5, ident="sandbox", secret="sandbox")) as pos:
        pos.faults.switch("delay_seconds", probability=1.0, seconds=ANSWERS_AFTER)
        print(pos.url.rstrip("/").rpartition(":")[2], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())

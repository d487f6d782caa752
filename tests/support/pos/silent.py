"""A server that takes every connection, and never says anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Its port. Whoever is connected at the end is cut off."""
    connected: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connected.append(writer), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in connected:
            writer.transport.abort()
        await asyncio.sleep(0)  # until they are closed, which the loop does in its next round

"""Asking a worker over HTTP."""

import asyncio
from typing import Any

import httpx

from connector.wiring import Worker


async def get(worker: Worker, path: str) -> httpx.Response:
    """An answer of the worker."""
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.get(f"http://127.0.0.1:{worker.port}{path}")


async def until(look: Any, within: float = 20) -> Any:
    """What an asynchronous look returns, as soon as it is true."""
    async with asyncio.timeout(within):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.02)

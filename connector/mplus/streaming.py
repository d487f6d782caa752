"""The channel for pages: httpx, whose answers are read as they come."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.request import getproxies

import httpx

from connector.mplus.channels import NOTICE_DEAD_PEERS, Access, Answer, headers

CONNECTIONS = 20
"""Of one administration, at most."""


class Streaming:
    """One pool of connections; see mplus.channels.Channel."""

    def __init__(self, access: Access) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=60)
        transport = httpx.AsyncHTTPTransport(verify=access.tls, limits=limits, socket_options=NOTICE_DEAD_PEERS)
        self._access = access
        self._http = httpx.AsyncClient(
            verify=access.tls,
            transport=None if getproxies() else transport,  # httpx takes proxies from the environment only without one
            timeout=httpx.Timeout(access.timeout, connect=access.connect_timeout),
        )

    @asynccontextmanager
    async def post(self, operation: str, body: bytes) -> AsyncIterator[Answer]:
        """See Channel."""
        access = self._access
        async with self._http.stream("POST", access.url, params=access.query, headers=headers(operation), content=body) as answer:
            yield _Streamed(answer)

    async def close(self) -> None:
        """See Channel."""
        await self._http.aclose()


class _Streamed:
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.status = answer.status_code
        self.retry_after = answer.headers.get("retry-after", "")

    def chunks(self) -> AsyncIterator[bytes]:
        """See Answer. As they come from the network: gathering them would copy each byte once more."""
        return self._answer.aiter_bytes()

"""A server that answers with given bytes, and every way to call it."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.source.entities import named

RELATION = named(["relation"])[0]


ONE = [("orderId", "o-1")]


@asynccontextmanager
async def speaking(url: str, tls: ssl.SSLContext | bool = True) -> AsyncIterator[PosClient]:
    """A client that tries once."""
    access = Access("demo", url, "an ident", "a secret", tls=tls, timeout=5, rate=100_000)
    client = PosClient(access, InlineDecoder(), lambda _: None, retries=Retries(attempts=1))
    try:
        yield client
    finally:
        await client.close()


def calls(client: PosClient) -> list[Callable[[], Awaitable[object]]]:
    """One of each kind."""
    return [
        lambda: client.page("getRelations", [("syncMarker", 1), ("syncMarkerLimit", 10)], RELATION.page),
        lambda: client.numbers("getCurrentSyncMarkersV2"),
        lambda: client.order("getOrder", ONE),
        lambda: client.change("cancelOrder", ONE),
    ]

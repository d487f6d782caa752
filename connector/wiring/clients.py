"""Clients of the POS, one per administration, for everything that a worker does there."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from connector.config.load import Administration, Config
from connector.errors import Fatal
from connector.events.base import Listener
from connector.mplus.client import Access, PosClient
from connector.mplus.responses.process import DecoderProcess


@asynccontextmanager
async def clients(config: Config, tell: Listener) -> AsyncIterator[Mapping[str, PosClient]]:
    """Clients by the administration's name. They share one request rate each, and all of them one decoder process."""
    async with AsyncExitStack() as stack:
        decoder = await stack.enter_async_context(DecoderProcess())
        found = {}
        for administration in config.administrations:
            client = PosClient(access(administration, config.connector.requests_per_second), decoder, tell)
            stack.push_async_callback(client.close)
            found[administration.administration] = client
        yield found


def access(administration: Administration, rate: float) -> Access:
    """How to reach a POS. Raises Fatal for certificates that cannot be read."""
    return Access(
        administration.administration,
        administration.url,
        administration.ident,
        administration.secret.get_secret_value(),
        tls=_tls(administration),
        connect_timeout=administration.connect_timeout,
        timeout=administration.timeout,
        rate=rate,
    )


def _tls(administration: Administration) -> ssl.SSLContext | bool:
    if administration.cafile is None:
        return True
    try:
        return ssl.create_default_context(cafile=administration.cafile)
    except (OSError, ssl.SSLError) as error:
        raise Fatal("MPLUS_CAFILE cannot be loaded: it must hold certificates in PEM form") from error

"""Whatever a POS does is an error of ours or a page: nothing else comes out of the client, and afterwards it goes on."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from connector.errors import ConnectorError
from connector.mplus.client import Access, Page, PosClient, Retries
from connector.mplus.responses.process import DecoderProcess
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import Choices, Entity, named
from connector.source.reading.reader import Reader
from tests.support.pos.bad_modes import MODES
from tests.support.pos.bad_pos import BadPos, Certificate, certificate

ITEMS = 8
READ = ("relation", "stock", "deliveryMethod")


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """The certificate of the bad POS."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@asynccontextmanager
async def speaking(bad: BadPos, identity: Certificate) -> AsyncIterator[PosClient]:
    """A client that gives up soon."""
    trust = ssl.create_default_context(cafile=identity.chain)
    access = Access("demo", bad.url, bad.ident, bad.secret, tls=trust, connect_timeout=0.5, timeout=1, rate=1000)
    async with DecoderProcess() as decoder:
        client = PosClient(access, decoder, lambda event: None, retries=Retries(attempts=1))
        try:
            yield client
        finally:
            await client.close()


async def pages(client: PosClient) -> dict[str, Page]:
    """The first page of each, but for those that could not be read."""
    found = {}

    async def read(entity: Entity) -> None:
        with suppress(ConnectorError):
            found[entity.name] = await Reader(client, entity, Choices(())).page(0, 1000)

    await asyncio.gather(*map(read, named(READ)))
    return found


async def all_pages(client: PosClient) -> dict[str, Page]:
    """The first page of each, also on a machine that is busy for longer than the client waits."""
    for _ in range(10):
        if set(READ) == (found := await pages(client)).keys():
            return found
    raise AssertionError(f"only {', '.join(found)} can be read")


@pytest.mark.parametrize("name", MODES)
async def test_a_bad_pos_is_an_error_of_ours(name: str, identity: Certificate) -> None:
    """Heads and pages are there or are a ConnectorError, and as soon as the POS is well, everything is read again."""
    mode = MODES[name]
    async with (
        Sandbox(SandboxOptions(items=ITEMS)) as pos,
        BadPos(pos, identity) as bad,
        speaking(bad, identity) as client,
    ):
        whole = await all_pages(client)
        bad.play(name, mode)
        for _ in range(2):  # at first the connection that it had is gone
            with suppress(ConnectorError):
                await client.numbers("getCurrentSyncMarkersV2")
        await pages(client)
        assert bad.struck[name]
        assert not bad.strayed
        bad.be_good()
        with suppress(ConnectorError):  # the connections it had may be gone
            await client.numbers("getCurrentSyncMarkersV2")
        assert whole == await all_pages(client)
        assert pos.shop.heads()["order"] == (await client.numbers("getCurrentSyncMarkersV2"))["orderSyncMarker"]


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "204",
        "an envelope without a body",
        "an envelope with an empty body",
        "a response without its list",
        "another operation's empty answer",
        "another operation's full answer",
        "version for a page",
        "halves as whole pages",
        "pages cut",
        "chunked pages cut",
        "rubbish as gzip",
        "HTML for pages",
        "redirect 302",
        "another namespace",
    ],
)
async def test_what_is_no_page_is_no_page_without_items(name: str, identity: Certificate) -> None:
    """It is refused as a whole: an empty page would be believed, and whole lists deleted."""
    async with (
        Sandbox(SandboxOptions(items=ITEMS)) as pos,
        BadPos(pos, identity) as bad,
        speaking(bad, identity) as client,
    ):
        bad.play(name, MODES[name])
        empty: dict[str, Page] = {"stock": []} if name == "a response without its list" else {}  # rows of stock stand in no list
        assert empty == await pages(client)

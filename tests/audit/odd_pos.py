"""A POS for audits, on a real socket: relations at chosen markers, shown by either reading of the limit, with oddities."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from connector.audit.asking import Asking
from connector.audit.journal import Journal
from connector.audit.source import AuditSourceContext, MarkedSource
from connector.audit.versions import Versions
from connector.clock import Clock
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.source.entities import Choices, Entity, named

ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:ns="urn:mplusqapi"><S:Body>{}</S:Body></S:Envelope>'
)
Row = tuple[str, int]
Hook = Callable[[int, int], Awaitable[web.StreamResponse | None]]


def envelope(content: str) -> web.Response:
    """An answer."""
    return web.Response(body=ENVELOPE.format(content).encode(), content_type="text/xml")


def relation(row: Row) -> str:
    """An item."""
    identity, marker = row
    return f"<ns:relation><ns:relationNumber>{identity}</ns:relationNumber><ns:syncMarker>{marker}</ns:syncMarker></ns:relation>"


async def as_ever(_: int, __: int) -> web.StreamResponse | None:
    """No oddity."""
    return None


@dataclass
class OddPos:
    """`rows` are (identity, marker) in any order; `window`: the limit is a range of markers; `cap`: items of a page, at most.

    `odd` may answer a page in its own way. `asked` are the pages that were asked for, as (marker, limit).
    """

    rows: Sequence[Row] = ()
    window: bool = False
    cap: int = 10_000
    odd: Hook = as_ever
    head: int | None = None
    asked: list[tuple[int, int]] = field(default_factory=list)
    item: Callable[[Row], str] = relation
    url: str = ""

    def page(self, marker: int, limit: int) -> list[Row]:
        """The rows of a page, the highest marker first."""
        rows = sorted((row for row in self.rows if row[1] >= marker), key=lambda row: (row[1], row[0]))
        shown = [row for row in rows if row[1] < marker + limit] if self.window else rows[:limit]
        return shown[: self.cap][::-1]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        body = (await request.read()).decode()
        if "getCurrentSyncMarkers" in body:
            head = max((row[1] for row in self.rows), default=0) if self.head is None else self.head
            told = f"<ns:relationSyncMarker>{head}</ns:relationSyncMarker>"
            return envelope(f"<ns:GetCurrentSyncMarkersV2Response>{told}</ns:GetCurrentSyncMarkersV2Response>")
        marker, limit = (int(found) for found in re.findall(r"<syncMarker(?:Limit)?>(\d+)<", body))
        self.asked.append((marker, limit))
        shown = "".join(map(self.item, self.page(marker, limit)))
        return await self.odd(marker, limit) or envelope(
            f"<ns:GetRelationsResponse><ns:relationList>{shown}</ns:relationList></ns:GetRelationsResponse>"
        )


@asynccontextmanager
async def serving(pos: OddPos) -> AsyncIterator[PosClient]:
    """A client of a POS that answers while inside."""
    application = web.Application()
    application.router.add_post("/", pos.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pos.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    access = Access("demo", pos.url, "me", "secret", rate=1000, timeout=2)
    client = PosClient(access, InlineDecoder(), lambda _: None, retries=Retries(attempts=1))
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def instantly(_: float) -> None:
    """Sleeps that take no time."""
    await asyncio.sleep(0)


def source_of(client: PosClient, limit: int, entity: Entity | None = None) -> tuple[MarkedSource, Versions]:
    """An audit's source, with nothing kept, and what it finds."""
    entity, versions, clock = entity or named(["relation"])[0], Versions(), Clock(sleep=instantly)
    parts = AuditSourceContext(Asking(client, entity, Choices(), clock), entity, clock, limit)
    return MarkedSource(parts, versions, Journal()), versions


async def walked(pos: OddPos, limit: int) -> tuple[MarkedSource, dict[str, int]]:
    """All that an audit sees of a POS."""
    async with serving(pos) as client:
        source, versions = source_of(client, limit)
        await source.read(lambda *_: None, 0)
        return source, {name.decode(): versions.source(name) for name in versions.names()}

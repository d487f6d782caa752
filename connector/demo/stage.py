"""Everything that runs in the demo, set up and taken down again."""

import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rich.console import Console

from connector.client import OrderCommands
from connector.config.load import Connector
from connector.demo.journeys import Journeys
from connector.demo.orders import astray, order_of, state_of
from connector.demo.screen import View
from connector.demo.truth import Books, differences
from connector.demo.webshop import Webshop
from connector.demo.worker import Worker, started
from connector.kafka.cluster import Cluster
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.order_operations.outcomes import order_by_ext_id
from connector.sandbox.shop.wares import articles_of, ware
from connector.source.entities import ENTITIES

ITEMS, CHANGES_PER_SECOND, PRODUCTS = 200, 20.0, 40


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    console: Console
    administration: str
    kafka: Cluster
    pos: Sandbox
    worker: Worker
    views: Worker
    webshop: Webshop
    journeys: Journeys

    @property
    def parts(self) -> list[Worker]:
        """The processes of the connector."""
        return [self.worker, self.views]

    async def follow(self) -> None:
        """Keep the journeys up to date, for ever. Raises Fatal."""
        with self.kafka.reaching():
            await self.journeys.run(self.kafka, self.administration)

    async def view(self) -> View:
        """What is known now. Raises Fatal when a part has ended."""
        for part in self.parts:
            part.must_live()
        rows = {entity: row for (_, entity), row in (await self.worker.rows()).items()}
        told = {entity.name: rows[entity.name] for entity in ENTITIES if entity.name in rows}
        return View(told, self.webshop.said, {order: row["state"] for order, row in self.journeys.rows.items()})

    def states(self) -> dict[str, str]:
        """The state that the journey of each commanded order must have, by what the POS shows."""
        found = {order: order_by_ext_id(self.pos.shop, order) for order in sorted({order_of(said) for said in self.webshop.said})}
        return {
            order: state_of(self.pos.shop.document(item), cancelled=item.deleted) if item else state_of(None)
            for order, item in found.items()
        }

    def astray(self) -> list[str]:
        """A line for each journey that is not where its order is, webshop's or till's, and for each figure that is another."""
        now = self.pos.shop.now().timestamp()
        return [
            *astray(self.journeys.rows, self.states()),
            *differences(self.books(), self.journeys.rows, self.journeys.windows, now),
        ]

    def books(self) -> Books:
        """What the POS shows of orders and their documents."""
        shop, visible = self.pos.shop, self.pos.truth()["order"]
        orders = [(shop.document(item), item.deleted) for item in shop.sequences["order"] if item.identity in visible]
        invoices, slips = ([shop.document(item) for item in shop.sequences[name]] for name in ("invoice", "packingSlip"))
        return Books(orders, list(invoices), list(slips))

    async def behind(self) -> bool:
        """Whether something at the POS is not in Kafka yet, or not in the journeys."""
        rows, heads = (await self.view()).entities, self.pos.shop.heads()
        unread = any(entity not in rows or rows[entity]["position"] < head for entity, head in heads.items())
        return unread or bool(self.astray())


@asynccontextmanager
async def staged(bootstrap: str, logs: Path, console: Console) -> AsyncIterator[Stage]:
    """All of it, running. Raises Fatal, with the last words of what did not start."""
    administration = f"demo-{uuid.uuid4().hex[:6]}"
    kafka = Cluster(bootstrap)
    async with AsyncExitStack() as stack:
        pos = await stack.enter_async_context(Sandbox(SandboxOptions(items=ITEMS, activity=CHANGES_PER_SECOND)))
        settings = _settings(pos, bootstrap, administration)
        worker = await stack.enter_async_context(started(settings, logs / "run.log"))  # it makes the topics that the others need
        views = await stack.enter_async_context(started(settings, logs / "views.log", verb="views"))
        commands = await stack.enter_async_context(OrderCommands(kafka, administration))
        webshop = Webshop(commands.send, _prices(pos), ITEMS, luck=Random())
        yield Stage(console, administration, kafka, pos, worker, views, webshop, Journeys())


def _prices(pos: Sandbox) -> dict[int, int]:
    products = [int(item.identity) for item in list(pos.shop.sequences["article"])[:PRODUCTS]]
    return {article: ware(article).price for product in products for article in articles_of(product)}


def _settings(pos: Sandbox, bootstrap: str, administration: str) -> dict[str, str]:
    return {
        "MPLUS_URL": pos.url,
        "MPLUS_IDENT": pos.ident,
        "MPLUS_SECRET": pos.secret,
        "MPLUS_ADMINISTRATION": administration,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CONNECTOR_GROUP": administration,
        "CONNECTOR_POLL_INTERVAL": "0.5",
        "CONNECTOR_REQUESTS_PER_SECOND": "50",
        "CONNECTOR_HTTP_PORT": "0",
        **_dashboard(),
    }


def _dashboard() -> dict[str, str]:
    """Its port: the configured one; else the default one, or any where that is taken."""
    if "CONNECTOR_VIEWS_HTTP_PORT" in os.environ:
        return {}
    with suppress(OSError), socket.create_server(("127.0.0.1", Connector.model_fields["views_http_port"].default)):
        return {}
    return {"CONNECTOR_VIEWS_HTTP_PORT": "0"}

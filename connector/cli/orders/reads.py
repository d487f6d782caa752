"""`order get`, `order find`: an order as the POS has it now."""

import sys
from typing import Annotated

import orjson
import typer

from connector.cli.options import ConfigFile, chosen
from connector.cli.orders.options import AdministrationName
from connector.cli.terminal import until_signalled
from connector.config.load import Config, load
from connector.errors import Reject
from connector.mplus.client import PosClient, Retries
from connector.mplus.responses.pages import Item, PageSpec
from connector.mplus.responses.process import InlineDecoder
from connector.ops import log
from connector.wiring import access

ORDER = PageSpec(path=("order",), schema="order", identity=(("orderId", None),), marker=None, response="GetOrderResponse")


def get(
    order_id: Annotated[str, typer.Option("--order-id", help="The order's orderId.")],
    config: ConfigFile = None,
    administration: AdministrationName = None,
) -> None:
    """Show an order as the POS has it, by its orderId."""
    _show(load(config), administration, ("getOrder", "orderId", order_id))


def find(
    ext_order_id: Annotated[str, typer.Argument(help="The order's extOrderId.")],
    config: ConfigFile = None,
    administration: AdministrationName = None,
) -> None:
    """Show an order as the POS has it, by its extOrderId."""
    _show(load(config), administration, ("findOrder", "extOrderId", ext_order_id))


def _show(config: Config, administration: str | None, asked: tuple[str, str, str]) -> None:
    log.configure(config.connector.log_format, "error")
    until_signalled(_ask(config, administration, asked))


async def _ask(config: Config, administration: str | None, asked: tuple[str, str, str]) -> None:
    operation, field, text = asked
    pos = chosen(config, administration)
    way = access(pos, config.connector.requests_per_second)
    client = PosClient(way, InlineDecoder(), lambda _: None, retries=Retries(attempts=2))
    try:
        found = await client.page(operation, [(field, text)], ORDER)
    finally:
        await client.close()
    if not found:
        raise Reject(f"{pos.administration} has no order with {field} {text}", "GET-ORDER-RESULT-NOT-FOUND")
    if not isinstance(found[0], Item):
        raise Reject(f"the order with {field} {text} cannot be read: {found[0].reason}")
    typer.echo(_printed(found[0].value))


def _printed(value: bytes) -> str:
    return orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode() if sys.stdout.isatty() else value.decode()

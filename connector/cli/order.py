"""`order`: a command from flags or a file, sent through Kafka; and orders as the POS has them."""

from pathlib import Path
from typing import Annotated

import typer

from connector.cli.options import ConfigFile, Json
from connector.cli.orders import options
from connector.cli.orders.drafts import ANY, delivery_line, number, order_line, payment
from connector.cli.orders.options import Common, Flag
from connector.cli.orders.reads import find, get
from connector.cli.orders.sending import send

TIMEOUT_S = 60.0


def order_verbs() -> typer.Typer:
    """The sub-app."""
    app = typer.Typer(no_args_is_help=True, help="Create, change, cancel, pay and deliver orders; look at one.")
    for verb in (create, update, cancel, pay, deliver, get, find):
        app.command()(verb)
    app.command("send")(any_command)
    return app


def create(
    ext_order_id: options.ExtOrderId = None,
    relation: Annotated[str | None, typer.Option("--relation", metavar="NUMBER", help="The customer: required.")] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(
            "--line", metavar="ARTICLE:QUANTITY[:PRICE]", help="Price in cents; a quantity below 0 comes back; repeatable."
        ),
    ] = None,
    pay: options.Payments = None,
    prepay: Annotated[bool, typer.Option("--prepay", help="The payments are a deposit.")] = False,
    file: options.File = None,
    command_id: options.CommandId = None,
    expires_at: options.ExpiresAt = None,
    administration: options.AdministrationName = None,
    config: ConfigFile = None,
    wait: options.Wait = True,
    timeout: options.Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Create an order, with payments if there are any."""
    flags = [
        Flag("--ext-order-id", ("order", "extOrderId"), ext_order_id),
        Flag("--relation", ("order", "relationNumber"), relation, number),
        Flag("--line", ("order", "lineList"), line, order_line),
        Flag("--pay", ("paymentList",), pay, payment),
        Flag("--prepay", ("prepay",), prepay or None),
    ]
    common = Common(config, administration, wait, timeout, as_json)
    send("create", file, [*flags, *_common(command_id, expires_at)], common)


def update(
    file: options.File = None,
    command_id: options.CommandId = None,
    expires_at: options.ExpiresAt = None,
    administration: options.AdministrationName = None,
    config: ConfigFile = None,
    wait: options.Wait = True,
    timeout: options.Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Change an order to what the file says. Without changeCounter the last writer wins."""
    send("update", file, _common(command_id, expires_at), Common(config, administration, wait, timeout, as_json))


def cancel(
    ext_order_id: options.ExtOrderId = None,
    order_id: options.OrderId = None,
    file: options.File = None,
    command_id: options.CommandId = None,
    expires_at: options.ExpiresAt = None,
    administration: options.AdministrationName = None,
    config: ConfigFile = None,
    wait: options.Wait = True,
    timeout: options.Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Cancel an order."""
    flags = [*_named(ext_order_id, order_id), *_common(command_id, expires_at)]
    send("cancel", file, flags, Common(config, administration, wait, timeout, as_json))


def pay(
    ext_order_id: options.ExtOrderId = None,
    order_id: options.OrderId = None,
    pay: options.Payments = None,
    prepay: Annotated[
        bool | None, typer.Option("--prepay/--invoice", help="A deposit only, or deliver and invoice the order too.")
    ] = None,
    file: options.File = None,
    command_id: options.CommandId = None,
    expires_at: options.ExpiresAt = None,
    administration: options.AdministrationName = None,
    config: ConfigFile = None,
    wait: options.Wait = True,
    timeout: options.Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Pay an order: a deposit, or all of it with delivery and invoice. Needs an agreement with the vendor."""
    flags = [
        *_named(ext_order_id, order_id),
        Flag("--pay", ("paymentList",), pay, payment),
        Flag("--prepay/--invoice", ("prepay",), prepay),
        *_common(command_id, expires_at),
    ]
    send("pay", file, flags, Common(config, administration, wait, timeout, as_json))


def deliver(
    ext_order_id: options.ExtOrderId = None,
    order_id: options.OrderId = None,
    line: Annotated[
        list[str] | None,
        typer.Option(
            "--line", metavar="LINEID:QUANTITY", help="Only this; below 0: it comes back; repeatable. Default: all of it."
        ),
    ] = None,
    file: options.File = None,
    command_id: options.CommandId = None,
    expires_at: options.ExpiresAt = None,
    administration: options.AdministrationName = None,
    config: ConfigFile = None,
    wait: options.Wait = True,
    timeout: options.Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Deliver an order, or a part of its lines."""
    flags = [
        *_named(ext_order_id, order_id),
        Flag("--line", ("lineList",), line, delivery_line),
        *_common(command_id, expires_at),
    ]
    send("deliver", file, flags, Common(config, administration, wait, timeout, as_json))


def any_command(
    file: Annotated[Path, typer.Option("--file", help="A whole command as JSON; -: standard input.")],
    command_id: options.CommandId = None,
    expires_at: options.ExpiresAt = None,
    administration: options.AdministrationName = None,
    config: ConfigFile = None,
    wait: options.Wait = True,
    timeout: options.Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Send a command as the file says, whichever it is."""
    send(ANY, file, _common(command_id, expires_at), Common(config, administration, wait, timeout, as_json))


def _named(ext_order_id: str | None, order_id: str | None) -> list[Flag]:
    return [Flag("--ext-order-id", ("extOrderId",), ext_order_id), Flag("--order-id", ("orderId",), order_id)]


def _common(command_id: str | None, expires_at: str | None) -> list[Flag]:
    return [Flag("--command-id", ("commandId",), command_id), Flag("--expires-at", ("expiresAt",), expires_at)]

"""`sandbox`: a simulated POS that speaks the real SOAP."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from connector.cli.terminal import until_signalled
from connector.errors import Fatal


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any.")] = 8090,
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop.")] = 1,
    items: Annotated[int, typer.Option(help="Items of each entity.")] = 200,
    activity: Annotated[float, typer.Option(help="Changes per second.")] = 0.0,
    limit_semantics: Annotated[Literal["records", "window"], typer.Option(help="What syncMarkerLimit counts.")] = "records",
    late: Annotated[float, typer.Option(min=0, max=1, help="Part of the changes that is shown after later ones.")] = 0.0,
    late_seconds: Annotated[float, typer.Option(min=0, help="How long after.")] = 5.0,
    ident: Annotated[str | None, typer.Option(help="Default: MPLUS_IDENT, else sandbox.")] = None,
    secret: Annotated[str | None, typer.Option(help="Default: MPLUS_SECRET, else sandbox.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, to serve HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
) -> None:
    """Serve a simulated shop with live changes."""
    from connector.sandbox import SandboxOptions, serve  # noqa: PLC0415 - the connector itself never loads the sandbox

    options = SandboxOptions(
        host=host,
        port=port,
        seed=seed,
        items=items,
        activity=activity,
        limit_semantics=limit_semantics,
        late=late,
        late_seconds=late_seconds,
        ident=ident or os.environ.get("MPLUS_IDENT", "sandbox"),
        secret=secret or os.environ.get("MPLUS_SECRET", "sandbox"),
        tls_cert=str(tls_cert) if tls_cert else None,
        tls_key=str(tls_key) if tls_key else None,
    )
    try:
        until_signalled(serve(options))
    except OSError as error:
        raise Fatal(f"the sandbox cannot serve on {host}:{port}: {error.strerror or error}") from error

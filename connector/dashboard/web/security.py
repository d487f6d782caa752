"""What every answer of the dashboard carries, and who may ask for one."""

import ipaddress
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text becomes markup, not even by mistake
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def guarded(handler: Handler, host: str) -> Handler:
    """The handler with these headers.

    Where `host`, the address that is listened on, is this machine's own, only requests to that are answered: a page
    elsewhere could otherwise give its own name this address, and read along (DNS rebinding).
    """

    async def guard(request: web.Request) -> web.StreamResponse:
        if _own(host) and not _own(_name(request.host)):
            return web.Response(
                status=403, text="this dashboard answers on localhost only: see docs/dashboard.md\n", headers=HEADERS
            )
        return await handler(request)

    return guard


def _own(name: str) -> bool:
    """Whether a name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower().removesuffix(".") == "localhost"


def _name(host: str) -> str:
    """The name in a Host header: without the port, and without the brackets of IPv6."""
    return host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]

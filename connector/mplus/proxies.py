"""The proxy of the environment, looked up once: what a library makes of these variables at each call costs files and options."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from connector.errors import Misconfigured


def proxy_for(url: str) -> httpx.Proxy | None:
    """The proxy that the environment names for this address. Raises Misconfigured where it is none that can be used."""
    proxies = getproxies()
    with suppress(ValueError):  # an address that is none is told by the call
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        named = proxies.get(scheme) or proxies.get("all")
        return _proxy(named) if named and not proxy_bypass(host or "") else None
    return None


def _proxy(named: str) -> httpx.Proxy:
    with _understood():
        proxy = httpx.Proxy(named if "://" in named else f"http://{named}")
        if proxy.url.scheme not in ("http", "https"):
            raise ValueError("scheme")
        return proxy


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (ValueError, httpx.InvalidURL):  # its text would show a password
        raise Misconfigured(
            "the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used for the POS: it must be an http:// or "
            "https:// address; or name the POS in NO_PROXY"
        ) from None

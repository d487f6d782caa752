"""Decoding a page of orders to JSON: this decoder beside zeep, on the same pages in the same run, one core each."""

import gc
import io
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from connector.mplus.responses.pages import PageDecoder, PageSpec
from tests.bench.pages import order_page

SPEC = PageSpec(("orderList", "order"), "order", (("orderId", None),), "syncMarker")
ORDERS, ROUNDS, NETWORK = 1000, 5, 1 << 16


def ours(page: bytes) -> int:
    """Bytes of JSON of a page that arrives in pieces."""
    decoder = PageDecoder(SPEC)
    items = [item for start in range(0, len(page), NETWORK) for item in decoder.feed(page[start : start + NETWORK])]
    return sum(len(item[-1]) for item in items + decoder.close() if isinstance(item[-1], bytes))


def zeep_decoder(wsdl: Path) -> Callable[[bytes], int]:
    """zeep as one would use it: parse, build its objects, serialise them."""
    import zeep
    import zeep.helpers
    from lxml import etree

    text = wsdl.read_text(encoding="utf-8-sig").replace("SOAP-ENC:base64", "xsd:base64Binary")  # its schema would be fetched
    operation = zeep.Client(io.BytesIO(text.encode())).service._binding.get("getOrders")

    def decode(page: bytes) -> int:
        reply: Any = operation.process_reply(etree.fromstring(page))
        orders = reply.order if hasattr(reply, "order") else reply
        return sum(len(orjson.dumps(zeep.helpers.serialize_object(order), default=str)) for order in orders)

    return decode


def _rate(decode: Callable[[bytes], int], page: bytes, orders: int) -> float:
    """Orders per second of CPU time, the cyclic GC off, as in the decoder's child process."""
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        decode(page)
        return orders / (time.process_time() - began)
    finally:
        gc.enable()


def measure(decoders: dict[str, Callable[[bytes], int]], *, orders: int = ORDERS, rounds: int = ROUNDS) -> dict[str, float]:
    """Median orders per second of each, in interleaved rounds, a new page each round."""
    rates: dict[str, list[float]] = {name: [] for name in decoders}
    for seed in range(rounds):
        page = order_page(orders, seed=seed)
        for name, decode in decoders.items():
            rates[name].append(_rate(decode, page, orders))
    return {name: statistics.median(found) for name, found in rates.items()}


def main() -> None:
    """Print the table."""
    decoders: dict[str, Callable[[bytes], int]] = {"this decoder": ours}
    if wsdl := os.environ.get("MPLUS_WSDL"):
        decoders = {"zeep": zeep_decoder(Path(wsdl)), **decoders}
    medians = measure(decoders)
    slowest = min(medians.values())
    print(f"decode + JSON, {ORDERS} orders of {len(order_page(ORDERS)) / ORDERS / 1000:.1f} kB, median of {ROUNDS}, per core")
    for name, rate in medians.items():
        print(f"  {name:<14}{rate:>8.0f} orders/s {rate / slowest:>6.1f}x")
    if len(decoders) == 1:
        print("  (zeep is left out: MPLUS_WSDL names no WSDL)")


if __name__ == "__main__":
    main()

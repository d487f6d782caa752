"""A sandbox as a process: its activity, its own routes, TLS, starting and stopping."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.shop.activity import SCENARIOS, Activity
from connector.sandbox.shop.entities import ENTITIES
from tests.support.pos.sandbox_calls import call, control, envelope, page_request

PROGRAM = "import asyncio; from connector.sandbox import *; asyncio.run(serve(SandboxOptions(items=5, secret='hush-hush')))"


def test_the_scenarios_touch_every_entity() -> None:
    """No entity is without activity."""
    assert {step[1:] for text, _ in SCENARIOS for step in text.split()} == ENTITIES.keys()


async def test_activity_changes_every_entity(pos: Sandbox) -> None:
    """After some hundred scenarios every head has risen and the shop is consistent."""
    before = pos.shop.heads()
    for _ in range(800):
        pos.activity.step()
    assert [name for name, head in pos.shop.heads().items() if head == before[name]] == []
    for name, sequence in pos.shop.sequences.items():
        markers = [item.marker for item in sequence]
        assert markers == sorted(markers)
        assert len(sequence.by_identity) == len(markers)
        assert markers[-1] <= sequence.head, name


async def test_a_sale_names_its_receipt_in_the_stock_history(pos: Sandbox) -> None:
    """The stock changes of a scenario come from the document that it made."""
    while not (last := list(pos.shop.sequences["stock"])[-1]).origin or last.origin[0] != "receipt":
        pos.activity.step()
    assert last.origin is not None
    receipt = next(item for item in pos.shop.sequences["receipt"] if last.origin and item.number == last.origin[1])
    response = await call(pos, "getStockHistoryV2", page_request("stock", last.marker))
    assert f"<ns:receiptId>{receipt.identity}</ns:receiptId>" in response.text


async def test_the_rate_is_in_changes_per_second() -> None:
    """Ten simulated seconds at 20 a second make about 200 changes, at 0 none."""
    for rate, low, high in ((20.0, 190, 210), (0.0, 0, 0)):
        shop = Sandbox(SandboxOptions(items=20)).shop
        before = sum(shop.heads().values())
        with pytest.raises(TimeoutError):
            await Activity(shop, rate, _Clock(10.0).sleep).run()
        assert low <= sum(shop.heads().values()) - before <= high


class _Clock:
    """Simulated time that ends."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    async def sleep(self, seconds: float) -> None:
        self.left -= seconds
        if self.left < 0:
            raise TimeoutError


async def test_activity_is_switched_over_http(pos: Sandbox) -> None:
    """POST activity sets the rate at which the running shop changes, and the shop does change."""
    before = pos.shop.heads()
    assert (await control(pos, "activity", {"rate": 2000})).json() == {"rate": 2000}
    async with asyncio.timeout(20):
        while (await control(pos, "heads")).json() == before:
            pass
    await control(pos, "activity", {"rate": 0})
    assert pos.activity.rate == 0


async def test_the_shop_is_changed_over_http(pos: Sandbox) -> None:
    """POST change raises the entity's head by as many, for the short lists too."""
    before = pos.shop.heads()["order"]
    assert len((await control(pos, "change", {"entity": "order", "count": 10})).json()["changed"]) == 10
    assert (await control(pos, "heads")).json()["order"] == before + 10
    changed = (await control(pos, "change", {"entity": "deliveryMethod"})).json()["changed"]
    assert changed[0] in (await call(pos, "getDeliveryMethods")).text
    assert "versie 1" in (await call(pos, "getDeliveryMethods")).text


async def test_a_row_of_a_short_list_can_vanish(pos: Sandbox) -> None:
    """What a test takes out of the lists is no longer answered."""
    del pos.shop.lists.rows["orderCategory"]["2"]
    assert "Catering" not in (await call(pos, "getOrderCategories")).text


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("change", {"entity": "moon"}),
        ("change", {"entity": ["order"]}),
        ("change", {"entity": "order", "count": 0}),
        ("fall-back", {"entity": "order"}),
        ("fall-back", {"entity": "order", "by": "all"}),
        ("activity", {"rate": -1}),
        ("activity", {"rate": "fast"}),
    ],
)
async def test_bad_input_to_its_own_routes_is_one_line(pos: Sandbox, name: str, sent: dict[str, object]) -> None:
    """HTTP 400 with what is wrong; nothing has changed."""
    before = pos.shop.heads()
    response = await control(pos, name, sent)
    assert response.status_code == 400
    assert "\n" not in response.json()["error"]
    assert pos.shop.heads() == before


async def test_truth_and_requests_are_served(pos: Sandbox) -> None:
    """Truth has an identity -> marker map per entity; requests counts the calls, keeps bodies and no secret."""
    await call(pos, "getRelations", page_request("relation"))
    truth = (await control(pos, "truth")).json()
    assert truth == pos.truth()
    assert truth.keys() == ENTITIES.keys()
    assert {"2025-3", "2026-17"} <= truth["purchaseOrder"].keys()
    assert all(identity == str(marker) for identity, marker in truth["stock"].items())
    seen = (await control(pos, "requests")).json()
    assert seen["counts"] == {"getRelations": 1}
    assert seen["bodies"] == [envelope("getRelations", page_request("relation"))]
    assert f"secret={pos.secret}" not in str(seen)


async def test_pages_are_served_fast() -> None:
    """Once written, pages of orders come at more than 20 MB/s (with the reading client in the same process)."""
    async with Sandbox(SandboxOptions(items=0, per_entity={"order": 1000})) as pos:
        await call(pos, "getOrders", page_request("order"))
        begun = time.perf_counter()
        size = sum([len((await call(pos, "getOrders", page_request("order"))).content) for _ in range(5)])
        assert size / (time.perf_counter() - begun) > 20_000_000


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Paths of a certificate for 127.0.0.1 and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        [*make, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True
    )
    return str(cert), str(key)


async def test_it_serves_https(certificate: tuple[str, str]) -> None:
    """With a certificate and a key the URL is https, and a client that trusts it is answered."""
    cert, key = certificate
    async with Sandbox(SandboxOptions(items=1, tls_cert=cert, tls_key=key)) as pos:
        assert pos.url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=cert)) as client:
            query = {"ident": pos.ident, "secret": pos.secret}
            assert (await client.post(pos.url, params=query, content=envelope("getApiVersion"))).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_stops_cleanly_on_a_signal(number: signal.Signals) -> None:
    """One line says where it listens, without the secret; a signal ends it with exit code 0 and nothing on stderr."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=20)
    assert line.startswith("sandbox listening on http://127.0.0.1:")
    assert "hush" not in line
    assert (out, err, process.returncode) == ("", "", 0)


def test_the_secret_is_not_in_the_options_text() -> None:
    """Printing the options does not print the secret."""
    assert "hush" not in repr(SandboxOptions(secret="hush"))

"""Whatever a POS, or what stands before it, answers: an error of ours, of this call alone, and no matter to its neighbours."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from connector.errors import ConnectorError, NotSent, Retry, Unanswered
from tests.mplus.conftest import Certificate
from tests.mplus.hostile import BAD_RECORD, FATAL_ALERT, NO_RECORD, Reply, anything, broken_tls, hostile, http, right
from tests.support.pos.speaking import calls, speaking


async def outcome(call: Callable[[], Awaitable[object]]) -> str:
    """What became of it; anything but an answer and an error of ours goes through."""
    try:
        await call()
    except ConnectorError as error:
        return type(error).__name__
    return "ok"


async def test_any_answer_is_an_answer_or_an_error_of_ours() -> None:
    """A thousand mutated answers, also with cookies and lengths of any kind; a well neighbour makes a call for each of them.

    And the next right answer is read as if nothing had been.
    """
    answers, well_again = anything(Random(20)), asyncio.Event()
    async with (
        hostile(lambda request: Reply(http(right(request))) if well_again.is_set() else answers(request)) as url,
        hostile(lambda request: Reply(http(right(request)))) as well,
        speaking(url) as client,
        speaking(well) as neighbour,
    ):
        met: Counter[str] = Counter()
        for _ in range(250):
            for bad, good in zip(calls(client), calls(neighbour), strict=True):
                what, healthy = await asyncio.gather(outcome(bad), outcome(good))
                met[what] += 1
                assert "ok" == healthy
        well_again.set()
        assert ["ok"] * 4 == [await outcome(call) for call in calls(client)]

    assert {"ok", "Retry", "Unanswered"} <= met.keys()
    assert 1000 == met.total()


async def test_tls_that_breaks_after_the_handshake_is_an_error_of_ours(certificate: Certificate) -> None:
    """By the errors of ssl, which no HTTP library calls its own; and half an answer is never a whole one."""
    async with (
        hostile(broken_tls(Random(20)), certificate.server()) as url,
        hostile(lambda request: Reply(http(right(request))), certificate.server()) as well,
        speaking(url, certificate.client()) as client,
        speaking(well, certificate.client()) as neighbour,
    ):
        met: Counter[str] = Counter()
        for _ in range(60):
            for bad, good in zip(calls(client), calls(neighbour), strict=True):
                what, healthy = await asyncio.gather(outcome(bad), outcome(good))
                met[what] += 1
                assert "ok" == healthy

    assert {"ok", "Unanswered"} == set(met)


@pytest.mark.parametrize("beside", [NO_RECORD, FATAL_ALERT, BAD_RECORD], ids=["no record", "alert", "bad record"])
async def test_a_broken_answer_says_nothing_of_what_was_done(certificate: Certificate, beside: bytes) -> None:
    """The call was sent: it may have been carried out, so it is Unanswered and not NotSent."""
    async with (
        hostile(lambda _: Reply(beside=beside), certificate.server()) as url,
        speaking(url, certificate.client()) as client,
    ):
        for call in calls(client):
            with pytest.raises(Unanswered):
                await call()


async def test_a_connection_that_closes_without_a_word_is_unanswered() -> None:
    """httpx's transport calls it a connection that was never made: then a payment would be made twice."""
    async with hostile(lambda _: Reply()) as url, speaking(url) as client:
        for call in calls(client):
            with pytest.raises(Unanswered):
                await call()


async def test_a_client_certificate_that_is_missing_is_an_error_of_ours(certificate: Certificate) -> None:
    """With TLS 1.3 the handshake ends well on our side, and the refusal comes with the first thing read."""
    server = certificate.server()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(certificate.cert)
    async with hostile(lambda request: Reply(http(right(request))), server) as url, speaking(url, certificate.client()) as client:
        for call in calls(client):
            with pytest.raises(Retry):
                await call()


async def test_a_certificate_that_nobody_signed_whom_we_trust_is_known_before_anything_is_sent(certificate: Certificate) -> None:
    """And said so."""
    async with hostile(lambda request: Reply(http(right(request))), certificate.server()) as url, speaking(url) as client:
        for call in calls(client):
            with pytest.raises(NotSent, match="check MPLUS_URL, the network, and that its certificate is trusted"):
                await call()


async def test_a_server_without_tls_is_known_before_anything_is_sent(certificate: Certificate) -> None:
    """Whose answer to our first bytes is no TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(NO_RECORD)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, speaking(url, certificate.client()) as client:
        for call in calls(client):
            with pytest.raises(NotSent, match="cannot be reached"):
                await call()

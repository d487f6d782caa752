"""The transport: who may ask, what is understood, and how it refuses."""

import pytest

from connector.sandbox import Sandbox
from tests.support.pos.sandbox_calls import PLUS, SOAP, call, envelope, fault, page_request, post


@pytest.mark.parametrize("query", [{"secret": "wrong"}, {"ident": "wrong"}, {"secret": ""}, {"secret": "sandbox\u00e9"}])
async def test_a_wrong_ident_or_secret_is_refused(pos: Sandbox, query: dict[str, str]) -> None:
    """The fault's code is Client.Authentication, and the call is neither answered nor logged."""
    response = await post(pos, envelope("getApiVersion"), **query)
    assert fault(response)[0] == "SOAP-ENV:Client.Authentication"
    assert not pos.requests.counts


async def test_an_unknown_operation_is_refused(pos: Sandbox) -> None:
    """The text says which method is not implemented."""
    assert fault(await call(pos, "getTheMoon")) == ("SOAP-ENV:Client", "Method 'getTheMoon' not implemented")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a/>",
        b"\xff\xfe\x00",
        envelope("getApiVersion").encode("utf-16"),
        f'<e:Envelope xmlns:e="{SOAP}"/>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body/></e:Envelope>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body><getApiVersion/></e:Body></e:Envelope>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body><getApiVersion xmlns="urn:other"/></e:Body></e:Envelope>'.encode(),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        f'<!DOCTYPE a [<!ENTITY b "c">]>{envelope("getApiVersion")}'.encode(),
    ],
)
async def test_a_malformed_request_is_a_client_fault(pos: Sandbox, body: bytes) -> None:
    """Whatever is not a SOAP 1.1 call in UTF-8 without a DOCTYPE is refused with a Client fault."""
    assert fault(await post(pos, body))[0] == "SOAP-ENV:Client"


@pytest.mark.parametrize(
    ("operation", "inner", "says"),
    [
        ("getOrders", "", "one request element"),
        ("getApiVersion", "<request/>", "no elements"),
        ("getOrders", "<request><syncMarker>1</syncMarker></request>", "articleBarcodes, articlePluNumbers"),
        ("getOrders", f"<request>{PLUS}<syncMarker>1</syncMarker></request>", "'syncMarker' is out of order"),
        ("getOrders", f"<request><moon/>{PLUS}</request>", "'moon' is unknown"),
        ("getOrders", f"<request><syncMarker>one</syncMarker>{PLUS}</request>", "must be an integer"),
        ("getOrders", f"<request><syncMarker>1</syncMarker><syncMarker>1</syncMarker>{PLUS}</request>", "2 times"),
        ("getOrders", page_request("order", extra="<includeLineList>yes</includeLineList>"), "must be a boolean"),
        (
            "getOrders",
            f"<request><branchNumbers>1</branchNumbers>{PLUS}</request>",
            "does not simulate the field 'branchNumbers'",
        ),
        ("getInvoices", f"<request>{PLUS}<finalizeInvoices>true</finalizeInvoices></request>", "'finalizeInvoices'"),
    ],
)
async def test_a_request_against_the_schema_is_a_client_fault(pos: Sandbox, operation: str, inner: str, says: str) -> None:
    """Missing, unknown, misplaced and unreadable fields are named; a filter that is not simulated is never ignored."""
    code, text = fault(await call(pos, operation, inner))
    assert code == "SOAP-ENV:Client"
    assert says in text


async def test_an_answer_looks_like_the_vendors(pos: Sandbox) -> None:
    """Elements have the prefix ns, and the vendor's headers are there."""
    response = await call(pos, "getApiVersion")
    assert "<ns:getApiVersionResponse><ns:majorNumber>67</ns:majorNumber>" in response.text
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert response.headers["Server-Timing"]
    assert response.headers["Mplus-Service-Version"]


async def test_awkward_texts_occur(pos: Sandbox) -> None:
    """Data holds what decoders stumble over: markup characters, accents, empty elements, both spellings of booleans."""
    text = (await call(pos, "getRelations")).text
    for awkward in ("&amp;", "&lt;", "ë", "<ns:website></ns:website>", ">true<", ">1<"):
        assert awkward in text


async def test_only_post_on_the_root_speaks_soap(pos: Sandbox) -> None:
    """Another method is 405, and the answer does not hold the secret."""
    import httpx

    async with httpx.AsyncClient() as client:
        response = await client.get(pos.url, params={"ident": pos.ident, "secret": "hush"})
    assert response.status_code == 405
    assert "hush" not in response.text

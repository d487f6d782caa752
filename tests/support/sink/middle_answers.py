"""What middle boxes answer in a POS's place. Not one is an answer of the POS to what was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import orjson

HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"'
    b' xmlns:ns="urn:mplusqapi">'
)
TAIL = b"</SOAP-ENV:Envelope>\n"
HTML = b"<html><head><title>%d</title></head><body><h1>%d</h1><p>nginx & friends<br></body></html>\n"
XML = "text/xml; charset=utf-8"
CODES = {"cancelOrder": "CANCEL-ORDER-RESULT-OK", "payOrder": "PAY-ORDER-RESULT-OK"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came: `path` with its query, `pos` is the POS's own address."""

    operation: str
    body: bytes
    path: str
    headers: Mapping[str, str]
    pos: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out. `promised`: bytes by its Content-Length (if more, the connection ends early); None: no answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = 0


Make = Callable[[Asked, bytes | None], Answer]
"""`told`, the second argument: what the POS itself answered, where it has."""


def _whole(status: int, body: bytes, content_type: str = "text/html", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, content_type, named, len(body))


def _page(status: int, asked: Asked, told: bytes | None, **headers: str) -> Answer:
    return _whole(status, HTML % (status, status), **headers)


def _redirect(status: int, asked: Asked, told: bytes | None) -> Answer:
    """To the POS itself: who follows it, sends the command once more."""
    return _page(status, asked, told, Location=asked.pos.rstrip("/") + asked.path)


def _body(*inside: bytes) -> bytes:
    return HEAD + b"<SOAP-ENV:Body>" + b"".join(inside) + b"</SOAP-ENV:Body>" + TAIL


def _response(operation: str) -> bytes:
    """A good answer to an operation, as short as one can be."""
    name = operation[:1].upper() + operation[1:]
    code = CODES.get(operation, "OK")
    return _body(f"<ns:{name}Response><ns:result>{code}</ns:result></ns:{name}Response>".encode())


def _other(asked: Asked, told: bytes | None) -> Answer:
    return _whole(200, _response("cancelOrder" if asked.operation.startswith("pay") else "payOrder"), XML)


def _half(asked: Asked, told: bytes | None) -> bytes:
    whole = told or _response(asked.operation)
    return whole[: len(whole) // 2]


def _cut(asked: Asked, told: bytes | None) -> Answer:
    return _whole(200, _half(asked, told), XML)


def _cut_connection(asked: Asked, told: bytes | None) -> Answer:
    half = _half(asked, told)
    return Answer(200, half, XML, promised=2 * len(half) + 1)


def _fixed(answer: Answer, asked: Asked, told: bytes | None) -> Answer:
    return answer


ANSWERS: Mapping[str, Make] = {
    **{str(status): partial(_page, status) for status in (401, 403, 404, 408, 500, 502, 504)},
    **{str(status): partial(_page, status, Retry_After="1") for status in (429, 503)},
    **{str(status): partial(_redirect, status) for status in (302, 307)},
    "204": partial(_fixed, Answer(204)),
    "html": partial(_page, 200),
    "empty": partial(_fixed, _whole(200, b"", XML)),
    "json": partial(_fixed, _whole(200, orjson.dumps({"message": "no healthy upstream"}), "application/json")),
    "rubbish gzip": partial(_fixed, _whole(200, b"\x1f\x8b\x08 no gzip at all", XML, Content_Encoding="gzip")),
    "no body": partial(_fixed, _whole(200, HEAD + TAIL, XML)),
    "empty body": partial(_fixed, _whole(200, _body(), XML)),
    "another operation": _other,
    "cut": _cut,
    "cut connection": _cut_connection,
    "closed": partial(_fixed, Answer(200, promised=None)),
}
"""Name → the answer: a status's number for an HTML page with it (429 and 503 with Retry-After, 3xx to the POS itself), 204 with
nothing; else, under status 200, what the name says: "cut" with the length of what there is, "cut connection" with the whole one.
"""

"""The SOAP endpoint: one POST in, one answer or one fault out."""

import asyncio
import hmac

from aiohttp import web

from connector.sandbox.faults.switches import Faults
from connector.sandbox.operations import carry_out
from connector.sandbox.options import SandboxOptions
from connector.sandbox.requests_seen import RequestLog
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap.soap import Call, SoapFault, envelope, fault_envelope, read_call

GARBAGE = b"<html><body><h1>It works!</h1><p>but this & that is no SOAP"
HEADERS = {"Server-Timing": "total;dur=1.0", "Mplus-Service-Version": "67.1.3 (sandbox)"}


class Endpoint:
    """Answers SOAP calls from a shop, with the faults that are switched on."""

    def __init__(self, shop: Shop, faults: Faults, options: SandboxOptions) -> None:
        self.log = RequestLog()
        self._shop = shop
        self._faults = faults
        self._expected = (options.ident, options.secret)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            call = self._admit(request, await request.read())
            return await self._early(request, call) or await self._answer(request, call)
        except SoapFault as fault:
            return _xml(fault_envelope(fault), 500)
        except ConnectionResetError:
            return web.Response(status=400)  # the caller is gone: nobody reads this

    def _admit(self, request: web.Request, body: bytes) -> Call:
        """The call, if ident and secret are right and it can be read."""
        sent = (request.query.get("ident", ""), request.query.get("secret", ""))
        same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(sent, self._expected, strict=True)]
        if not all(same):
            raise SoapFault("Client.Authentication", "ident or secret is not known")
        call = read_call(body)
        self.log.add(call.operation, body)
        return call

    async def _early(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        """The faults that strike before anything is done."""
        if delay := self._faults.due("delay_seconds", call.operation):
            await asyncio.sleep(delay.seconds)
        if self._faults.due("drop_before", call.operation):
            return _cut(request)
        if self._faults.due("server_fault", call.operation):
            raise SoapFault("Server", "internal error, simulated")
        if unavailable := self._faults.due("unavailable", call.operation):
            return web.Response(status=503, headers={"Retry-After": f"{unavailable.seconds:.0f}"}, text="busy")
        if self._faults.due("garbage", call.operation):
            return _xml(GARBAGE)
        return None

    async def _answer(self, request: web.Request, call: Call) -> web.StreamResponse:
        answer = envelope(carry_out(self._shop, call, self._faults))
        if delay := self._faults.due("delay_after_seconds", call.operation):
            await asyncio.sleep(delay.seconds)
        if self._faults.due("server_fault_after", call.operation):
            raise SoapFault("Server", "internal error after the fact, simulated")
        if self._faults.due("drop_after", call.operation):
            return _cut(request)
        if self._faults.due("truncate", call.operation):
            return await _closed_early(request, answer)
        if self._faults.due("truncate_framed", call.operation):
            return _xml(answer[: len(answer) // 2])
        return _xml(answer)


def _xml(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers=HEADERS, content_type="text/xml", charset="utf-8")


def _cut(request: web.Request) -> web.StreamResponse:
    """Reset the connection; the response returned goes nowhere."""
    if request.transport:
        request.transport.abort()
    return web.Response()


async def _closed_early(request: web.Request, answer: bytes) -> web.StreamResponse:
    """Announce the whole answer, send half of it, close."""
    response = web.StreamResponse(headers=HEADERS | {"Content-Type": "text/xml; charset=utf-8"})
    response.content_length = len(answer)
    await response.prepare(request)
    await response.write(answer[: len(answer) // 2])
    if request.transport:
        request.transport.close()
    return response

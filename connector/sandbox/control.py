"""The sandbox's own HTTP routes under /_sandbox/: looking at it and changing it while it runs."""

import json
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Any

from aiohttp import web

from connector.sandbox.faults.switches import Faults
from connector.sandbox.order_operations.staff import StaffedShop
from connector.sandbox.requests_seen import RequestLog
from connector.sandbox.shop.activity import Activity

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Control:
    """Each method answers one route with JSON; bad input is HTTP 400 with one line that says what is wrong."""

    def __init__(self, shop: StaffedShop, faults: Faults, activity: Activity, log: RequestLog) -> None:
        self._shop = shop
        self._faults = faults
        self._activity = activity
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        read = {
            "truth": self._shop.truth,
            "heads": self._shop.heads,
            "faults": self._faults.as_json,
            "requests": self._log.as_json,
            "effects": lambda: self._shop.memory.effects,
        }
        write = {
            "faults": self._switch,
            "fall-back": self._fall_back,
            "late": self._set_late,
            "reveal": lambda _: {"shown": self._shop.reveal()},
            "activity": self._set_activity,
            "change": self._change,
            "cashier": self._cashier,
        }
        return [
            *(web.get(f"/_sandbox/{name}", _reader(answer)) for name, answer in read.items()),
            *(web.post(f"/_sandbox/{name}", _writer(act)) for name, act in write.items()),
            web.delete("/_sandbox/faults", _reader(self._clear)),
        ]

    def _clear(self) -> dict[str, object]:
        self._faults.clear()
        return self._faults.as_json()

    def _switch(self, sent: Mapping[str, Any]) -> object:
        self._faults.load(sent)
        return self._faults.as_json()

    def _fall_back(self, sent: Mapping[str, Any]) -> object:
        self._shop.fall_back(sent["entity"], _count(sent["by"]))
        return self._shop.heads()

    def _set_late(self, sent: Mapping[str, Any]) -> object:
        """`share` of all changes, and for how many `seconds` (without it: until they are revealed)."""
        share, seconds = _number(sent["share"]), _number(sent.get("seconds", inf))
        if not (share <= 1 and isinstance(counted := sent.get("counted", True), bool)):
            raise ValueError("share is 0 to 1, counted true or false")
        self._shop.late.share, self._shop.late.seconds, self._shop.late.counted = share, seconds, counted
        return {"share": share}

    def _set_activity(self, sent: Mapping[str, Any]) -> object:
        self._activity.rate = rate = _number(sent["rate"])
        return {"rate": rate}

    def _change(self, sent: Mapping[str, Any]) -> object:
        return {"changed": self._shop.change(sent["entity"], _count(sent.get("count", 1)))}

    def _cashier(self, sent: Mapping[str, Any]) -> object:
        """`does`: what the cashier does, with the arguments of that act; or `books` what is queued.

        pays, delivers, cancels, changes and refunds answer the order's new marker; invoices, credits and takes_back the id of
        what they make.
        """
        if sent["does"] == "books":
            return {"booked": self._shop.book_queued()}
        named = {name: value for name, value in sent.items() if name != "does"}
        makes: Mapping[str, Callable[..., str | None]] = {
            "invoices": self._shop.cashier_invoices,
            "credits": self._shop.cashier_credits,
            "settles": self._shop.cashier_settles,
            "takes_back": self._shop.cashier_takes_back,
        }
        if (make := makes.get(sent["does"])) is not None:
            return {"id": make(**named)}
        acts: Mapping[str, Callable[..., int]] = {
            "pays": self._shop.cashier_pays,
            "delivers": self._shop.cashier_delivers,
            "cancels": self._shop.cashier_cancels,
            "changes": self._shop.cashier_changes,
            "refunds": self._shop.cashier_refunds,
        }
        return {"syncMarker": acts[sent["does"]](**named)}


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"a whole number of 1 or more is needed, not {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"a number of 0 or more is needed, not {value!r}")
    return value


def _reader(answer: Callable[[], object]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(answer())

    return handle


def _writer(act: Callable[[Mapping[str, Any]], object]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(act(_object(await request.read())))
        except KeyError as error:
            return web.json_response({"error": f"missing or unknown: {error.args[0]}"}, status=400)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle


def _object(body: bytes) -> Mapping[str, Any]:
    sent = json.loads(body)
    if not isinstance(sent, dict):
        raise ValueError("a JSON object is needed")  # noqa: TRY004 one error for whatever is wrong with the JSON
    return sent

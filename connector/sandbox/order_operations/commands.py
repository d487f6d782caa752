"""The answers of the order commands: carried out once per idempotency key, or with the result that a test tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from connector.sandbox.faults.result_codes import CODES, PAY_PREFIX
from connector.sandbox.order_operations.outcomes import Outcome, Refused
from connector.sandbox.shop.memory import Job
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap import markup
from connector.sandbox.soap.requests import Asked
from connector.sandbox.soap.soap import client

Act = Callable[[Shop, Asked, Job], Outcome]
KEYED = "idempotencyResult"
ORIGINAL, REPLAY = "IDEMPOTENCY-RESULT-ORIGINAL-RESPONSE", "IDEMPOTENCY-RESULT-REPLAY-RESPONSE"
WITHOUT_PAYMENT = "PAYMENT-FAILED"  # told without effect: the order is created all the same, only not paid


@dataclass(frozen=True, slots=True)
class Command:
    """`shape` names the answer's fields in their order; one that has idempotencyResult is carried out once per key."""

    operation: str
    act: Act
    shape: str

    def answer(self, shop: Shop, asked: Asked) -> list[bytes]:
        told = self._replay(shop, asked) or self._first(shop, asked)
        return [markup.element(name, value).encode() for name, value in told.items()]

    def _replay(self, shop: Shop, asked: Asked) -> Mapping[str, object] | None:
        if KEYED not in self.shape:
            return None
        if not asked.text("idempotencyKey"):
            raise client("idempotencyKey is empty")
        stored = shop.memory.remembered(self.operation, asked.text("idempotencyKey"))
        return stored and {**stored, KEYED: REPLAY}

    def _first(self, shop: Shop, asked: Asked) -> Mapping[str, object]:
        job = Job(self.operation, asked.text("idempotencyKey"), shop.memory.told(self.operation))
        answer = self._written(shop, self._carry_out(shop, asked, job))
        if job.key:
            shop.memory.remember(self.operation, job.key, answer)
        return answer

    def _carry_out(self, shop: Shop, asked: Asked, job: Job) -> Outcome:
        told = job.told
        if told and not told.effect and told.code != WITHOUT_PAYMENT:
            return Outcome(told.code, "simulated, nothing was done")
        try:
            outcome = self.act(shop, asked, job)
        except Refused as refused:
            return Outcome(refused.code, refused.text)
        return replace(outcome, code=told.code, text="simulated, it was done") if told and told.effect else outcome

    def _written(self, shop: Shop, outcome: Outcome) -> dict[str, object]:
        order = shop.document(outcome.item) if outcome.item else {}
        known = {
            KEYED: ORIGINAL,
            "result": CODES[self.operation][0] + outcome.code,
            "order": shop.memory.shown(self.operation, order) or None if "order" in self.shape.split() else None,
            "errorMessage": outcome.text,
            "message": outcome.text,
            "info": {
                "orderId": outcome.queued_id or order.get("orderId", ""),
                "orderString": order.get("transactionString", ""),
                "orderQueued": True if outcome.queued_id else None,
            },
            "payResult": outcome.pay_code and PAY_PREFIX + outcome.pay_code,
            "invoiceId": outcome.invoice_id,
            "packingSlipId": outcome.packing_slip_id,
        }
        return {name: known[name] for name in self.shape.split()}

"""A shop with cashiers: they act on orders too, without asking the connector."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from connector.sandbox.order_operations import after_sales
from connector.sandbox.order_operations.delivering import deliver_order
from connector.sandbox.order_operations.orders import cancel_order
from connector.sandbox.order_operations.outcomes import Outcome, Refused
from connector.sandbox.order_operations.paying import pay_order
from connector.sandbox.shop.item import Item
from connector.sandbox.shop.memory import Job
from connector.sandbox.shop.shop import Shop

CASHIER = Job("cashier")
Act = Callable[[Item], Outcome | None]
Made = TypeVar("Made")


class StaffedShop(Shop):
    """Each act returns the order's new marker. KeyError: no such order; ValueError: it is refused, as at the till."""

    def cashier_pays(self, order_id: str, amount: int, *, method: str = "CASH", prepay: bool = True) -> int:
        """A deposit, or with `prepay` false the rest, with packing slip and invoice. `amount` is in cents."""
        payments = [{"method": method, "amount": amount}]
        return self._act(order_id, lambda item: pay_order(self, item, CASHIER, payments, prepay=prepay))

    def cashier_delivers(self, order_id: str, lines: Mapping[str, int | Decimal] | None = None) -> int:
        """A delivery of so much of these lines, by lineId, or of all that is open."""
        rows = None if lines is None else [(line, Decimal(quantity)) for line, quantity in lines.items()]
        return self._act(order_id, lambda item: deliver_order(self, item, CASHIER, rows))

    def cashier_cancels(self, order_id: str) -> int:
        return self._act(order_id, lambda item: cancel_order(self, item, CASHIER))

    def cashier_refunds(self, order_id: str, amount: int) -> int:
        """Give back so many cents of what was paid."""
        return self._act(order_id, lambda item: after_sales.refund(self, item, CASHIER, amount))

    def cashier_invoices(self, order_ids: Sequence[str], amount: int | None = None) -> str:
        """One outstanding invoice over these orders, or over so many cents; its id."""
        items = [self.sequences["order"].by_identity[name] for name in order_ids]
        return _done(lambda: after_sales.invoice_orders(self, items, CASHIER, amount)).identity

    def cashier_credits(self, invoice_id: str, amount: int | None = None) -> str:
        """A credit invoice over an invoice, or over so many cents of it; its id."""
        invoice = self.sequences["invoice"].by_identity[invoice_id]
        items = [self.sequences["order"].by_identity[name] for name in self.document(invoice)["orderIds"]["id"]]
        return _done(lambda: after_sales.credit(self, invoice, items, CASHIER, amount)).identity

    def cashier_settles(self, invoice_id: str) -> None:
        """The customer has paid an invoice."""
        _done(lambda: after_sales.settle(self, self.sequences["invoice"].by_identity[invoice_id]))

    def cashier_takes_back(self, order_id: str, *, pays: bool = False) -> str:
        """An order that brings another one back, and where the cashier `pays` also the money; its id."""
        found = _done(lambda: after_sales.return_order(self, self.sequences["order"].by_identity[order_id], CASHIER))
        order = self.document(found)
        if pays:
            after_sales.pay_back(self, found, order, -order["totalInclAmount"])
        return found.identity

    def cashier_changes(self, order_id: str, reference: str | None = None) -> int:
        """Another reference; without one, some text that was not there before."""
        return self._act(order_id, lambda item: self._refer(item, reference or f"kassa, wijziging {item.revision + 1}"))

    def book_queued(self) -> int:
        """Book all orders that were accepted and are still queued; how many there were."""
        return self.memory.book_queued(due_only=False)

    def _refer(self, item: Item, reference: str) -> Outcome:
        order = self.document(item)
        self.revise(item, order | {"reference": reference})
        self.memory.book(CASHIER, "updated", order, amount=order["totalInclAmount"])
        return Outcome(item=item)

    def _act(self, order_id: str, act: Act) -> int:
        item = self.sequences["order"].by_identity[order_id]
        _done(lambda: act(item))
        return item.marker


def _done(act: Callable[[], Made]) -> Made:
    try:
        return act()
    except Refused as refused:
        raise ValueError(f"{refused.code}: {refused.text}") from refused

"""Each command, from the topic to the POS and back as a result."""

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.sink.commanding import cancel, commanding, create, deliver, outcomes, pay, update


async def test_an_order_is_created_paid_delivered_and_invoiced(bootstrap: str, prefix: str) -> None:
    """One result per command; what was asked was done once, in this order."""
    async with Sandbox(SandboxOptions(items=3)) as pos, commanding(bootstrap, prefix, pos) as commands:
        (created,) = await commands.run(create("c-1", "web-1"))
        assert ("succeeded", "CREATE-ORDER-RESULT-OK") == (created["outcome"], created["reason"])
        order = commands.order("web-1")
        line = order["lineList"]["line"][0]["lineId"]
        total = order["totalInclAmount"]

        results = await commands.run(
            pay("c-2", "web-1", 100),
            deliver("c-3", "web-1", {"lineId": line, "quantity": 1}),
            deliver("c-4", "web-1"),
            pay("c-5", "web-1", total - 100, prepay=False),
        )

        assert [
            ("succeeded", "PAY-ORDER-RESULT-OK"),
            ("succeeded", "DELIVER-ORDER-V2-RESULT-OK"),
            ("succeeded", "DELIVER-ORDER-RESULT-OK"),
            ("succeeded", "PAY-ORDER-RESULT-OK"),
        ] == outcomes(results)
        assert [1, 1, 1, 1] == [row["attempts"] for row in results]
        assert ["created", "paid", "delivered", "delivered", "paid", "invoiced"] == [effect for effect, _ in commands.effects()]
        assert results[-1]["invoiceId"]
        assert results[1]["packingSlipId"] != results[2]["packingSlipId"]


async def test_an_order_is_changed_and_cancelled(bootstrap: str, prefix: str) -> None:
    """Without a changeCounter the last writer wins; what holds already is a success with that reason."""
    async with Sandbox(SandboxOptions(items=3)) as pos, commanding(bootstrap, prefix, pos) as commands:
        results = await commands.run(
            create("c-1", "web-1"),
            update("c-2", "web-1", reference="red paper"),
            update("c-3", "web-1", reference="red paper"),
            cancel("c-4", "web-1"),
            cancel("c-5", "web-1"),
        )

    assert [
        ("succeeded", "CREATE-ORDER-RESULT-OK"),
        ("succeeded", "UPDATE-ORDER-RESULT-OK"),
        ("succeeded", "UPDATE-ORDER-RESULT-NO-CHANGES"),
        ("succeeded", "CANCEL-ORDER-RESULT-OK"),
        ("succeeded", "CANCEL-ORDER-RESULT-ALREADY-CANCELLED"),
    ] == outcomes(results)
    assert ["created", "updated", "cancelled"] == [effect for effect, _ in commands.effects()]

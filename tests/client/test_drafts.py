"""Commands before they are written: ids, keys and names that a worker can answer."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.client import OrderCommands
from connector.client.drafts import must_be_answerable, ready
from connector.errors import Reject
from connector.messages.command import Invalid, read


def cancel(**more: Any) -> dict[str, Any]:
    return {"command": "cancelOrder", "extOrderId": "a", **more}


UNANSWERABLE = ["", "x" * 256, "lane:7", "redrive:0:1", "lane:", "a\x07b", "\x00", "a\ud800", "\ufffe", "a\uffff", None, 7, b"c"]


@pytest.mark.parametrize("command_id", UNANSWERABLE, ids=lambda text: repr(text)[:12])
async def test_an_id_that_nobody_could_answer_is_refused(prefix: str, command_id: Any) -> None:
    """Before anything is reached, when sending as when asking for the result: one line that says why."""
    commands = OrderCommands("127.0.0.1:9", prefix)
    for asked in (
        commands.send(cancel(commandId=command_id)),
        commands.submit(cancel(commandId=command_id)),
        commands.result(command_id),
    ):
        with pytest.raises(Reject, match=r"^commandId ") as error:
            await asked
        assert "INVALID-COMMAND" == error.value.code
        assert "\n" not in str(error.value)
        assert str(error.value).isprintable()


@given(st.text(st.characters(codec=None), max_size=300) | st.from_regex(r"\A(lane|redrive|Lane| lane):.{0,3}\Z"))
@example("x" * 255)
@example("\U0001f600" * 255)
@example("lane")
@example("a\ud800")
@example("a\n")
@example("\x7f\x80\r\t ")
def test_the_worker_has_the_same_rule(command_id: str) -> None:
    """What is refused here it could not answer, and what is sent it can."""
    judged = read(b"a", json.dumps({"commandId": command_id, "command": "none", "extOrderId": "a"}).encode())
    assert isinstance(judged, Invalid)
    try:
        must_be_answerable(command_id)
    except Reject:
        assert judged.command_id is None
    else:
        assert command_id == judged.command_id


LONG = "é" * 256


@pytest.mark.parametrize(
    ("command", "key", "what"),
    [
        (cancel(extOrderId=LONG), None, "key"),
        ({"command": "cancelOrder", "orderId": LONG}, None, "key"),
        (cancel(orderId=LONG), None, "orderId"),
        ({"command": "createOrder", "order": {"extOrderId": LONG}}, None, "key"),
        ({"command": "updateOrder", "order": {"extOrderId": "a", "orderId": LONG}}, None, "orderId"),
        (cancel(), LONG, "key"),
    ],
)
def test_names_are_no_longer_than_the_contract_says(command: dict[str, Any], key: str | None, what: str) -> None:
    """255 characters, not bytes, of each; one less is sent."""
    with pytest.raises(Reject, match=f"^{what} is longer than 255 characters"):
        ready(command, key)
    shorter = json.loads(json.dumps(command, ensure_ascii=False).replace(LONG, LONG[1:]))
    assert ready(shorter, key and key[1:]).value


@pytest.mark.parametrize("key", ["a\ud800", ""])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """In our words."""
    with pytest.raises(Reject):
        ready(cancel(), key)


def test_an_order_that_is_named_by_its_id_goes_under_its_own_key() -> None:
    """The extOrderId is said beside the command, or in it; without either, the orderId is the key."""
    by_id = {"command": "cancelOrder", "orderId": "o-1"}

    assert ["web-1", "web-1", "o-1"] == [
        ready(by_id, "web-1").key,
        ready({**by_id, "extOrderId": "web-1"}).key,
        ready(by_id).key,
    ]
    assert "extOrderId" not in json.loads(ready(by_id, "web-1").value)

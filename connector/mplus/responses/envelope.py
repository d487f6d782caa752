"""SOAP envelopes: the response in the Body, faults, and small answers."""

from xml.etree.ElementTree import Element

from connector.mplus.responses.document import PageError, parse
from connector.mplus.responses.elements import local
from connector.mplus.responses.values import INTEGERS, InvalidValue

SOAP = tuple(f"{{{uri}}}" for uri in ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"))


class FaultError(Exception):
    """The answer is a SOAP fault. `code` is without prefix (`Client.Authentication`), `text` one line of the POS's own.

    `after`: seconds that it was asked to wait beside it, or None.
    """

    after: float | None = None

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def read_fault(body: bytes) -> tuple[str, str] | None:
    """Code (without prefix) and text of a SOAP fault; None for any other answer, be it XML or not."""
    try:
        response = response_of(parse(body))
    except PageError:
        return None
    return fault_of(response) if response is not None and is_fault(response) else None


def read_numbers(body: bytes, response: str | None = None) -> dict[str, int]:
    """The integers right under the response element, by name; `response`: its name.

    Raises PageError for another answer and for one without any number, FaultError for a fault.
    """
    answer = answer_of(parse(body), response)
    numbers: dict[str, int] = {}
    for child in answer:
        if not len(child) and (number := integer_of(child)) is not None:
            numbers[local(child.tag)] = number
    if not numbers:
        raise PageError(f"{local(answer.tag)[:40]} holds no number")
    return numbers


def integer_of(element: Element) -> int | None:
    """The element's whole number, if it holds one."""
    try:
        return INTEGERS[element.text]
    except InvalidValue:
        return None


def _body(envelope: Element) -> Element | None:
    namespace, name = _split(envelope.tag)
    if name != "Envelope" or namespace not in SOAP:
        raise PageError(f"a SOAP envelope was expected, not {name[:40]}")
    return envelope.find(f"{namespace}Body")


def response_of(envelope: Element) -> Element | None:
    """The element in the Body, as soon as it is there."""
    body = _body(envelope)
    return body[0] if body is not None and len(body) else None


def answer_of(envelope: Element, response: str | None = None) -> Element:
    """The response element of a finished document; `response`: its name. Raises PageError, or FaultError for a fault."""
    body = _body(envelope)
    if body is None or len(body) != 1:
        raise PageError("the SOAP Body holds no answer or more than one")
    if is_fault(body[0]):
        raise FaultError(*fault_of(body[0]))
    if response is not None and local(body[0].tag) != response:
        raise PageError(f"{local(body[0].tag)[:40]} where {response} was expected")
    return body[0]


def is_fault(response: Element) -> bool:
    """Whether the Body holds a SOAP fault instead of an answer."""
    return _split(response.tag)[1] == "Fault" and _split(response.tag)[0] in SOAP


def fault_of(fault: Element) -> tuple[str, str]:
    """Code and text of a fault, of SOAP 1.1 or 1.2, each in one line."""
    texts = {local(element.tag): " ".join((element.text or "").split()) for element in reversed(list(fault.iter()))}
    code, text = texts.get("faultcode") or texts.get("Value") or "", texts.get("faultstring") or texts.get("Text") or ""
    return code.rpartition(":")[2], text


def _split(tag: str) -> tuple[str, str]:
    namespace, brace, name = tag.rpartition("}")
    return namespace + brace, name

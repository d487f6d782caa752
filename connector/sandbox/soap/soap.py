"""SOAP 1.1 as the sandbox speaks it: reading a request, writing an envelope or a fault."""

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from connector.sandbox.soap.markup import escape

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
NAMESPACE = "urn:mplusqapi"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{ENVELOPE}" xmlns:ns="{NAMESPACE}"><SOAP-ENV:Body>'
).encode()
TAIL = b"</SOAP-ENV:Body></SOAP-ENV:Envelope>\n"


class SoapFault(Exception):
    """Answered as HTTP 500; `code` is Client or Server, perhaps dotted."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def client(text: str) -> SoapFault:
    return SoapFault("Client", text)


@dataclass(frozen=True, slots=True)
class Call:
    """The operation's name and its element, both from the SOAP body; the SOAPAction header decides nothing."""

    operation: str
    element: ET.Element


def read_call(body: bytes) -> Call:
    root = _parse(body)
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise client("the root is not a SOAP 1.1 Envelope")
    inside = root.find(f"{{{ENVELOPE}}}Body")
    if inside is None or len(inside) != 1:
        raise client("the SOAP Body must hold exactly one element")
    return Call(local(inside[0]), inside[0])


def local(element: ET.Element) -> str:
    """The element's name without the API's namespace; any other namespace is a bad request."""
    namespace, _, name = element.tag.rpartition("}")
    if namespace != f"{{{NAMESPACE}":
        raise client(f"element '{name}' is not in namespace {NAMESPACE}")
    return name


def _parse(body: bytes) -> ET.Element:
    # No UTF-8 XML holds a NUL: one means UTF-16 or -32, in which the text below would go unseen.
    if b"\0" in body or b"<!DOCTYPE" in body:
        raise client("only UTF-8 without a DOCTYPE is read")
    try:
        return ET.fromstring(body)  # noqa: S314 entities need a DOCTYPE, refused above
    except (ET.ParseError, LookupError, ValueError) as error:
        raise client(f"not well-formed XML: {error}") from error


def envelope(parts: Iterable[bytes]) -> bytes:
    return b"".join((HEAD, *parts, TAIL))


def fault_envelope(fault: SoapFault) -> bytes:
    inner = f"<faultcode>SOAP-ENV:{fault.code}</faultcode><faultstring>{escape(fault.text)}</faultstring>"
    return envelope([f"<SOAP-ENV:Fault>{inner}</SOAP-ENV:Fault>".encode()])

"""zeep, built from the vendor's WSDL: the reader that knows nothing of ours."""

from typing import Any

import zeep

ENCODING = (
    '<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://schemas.xmlsoap.org/soap/encoding/">'
    '<simpleType name="base64"><restriction base="base64Binary"/></simpleType></schema>'
)
"""Stands in for the SOAP encoding's schema, which the WSDL imports without saying where it is."""


class Local(zeep.Transport):  # type: ignore[misc]  # zeep is untyped
    """Reads the SOAP encoding's schema from here instead of the internet."""

    def load(self, url: str) -> Any:
        return ENCODING.encode() if url.startswith("http://schemas.xmlsoap.org") else super().load(url)


def service(wsdl: str, address: str) -> Any:
    """All operations, at this address."""
    return zeep.Client(wsdl, transport=Local()).create_service("{urn:mplusqapi}MplusQapi", address)

"""Pages of the POS, good and bad ones."""

from connector.mplus.responses.pages import (
    PageSpec,
)

SPEC = PageSpec(("orderList", "order"), "order", (("orderId", None),), "syncMarker")


ENVELOPE = '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>{}</S:Body></S:Envelope>'


SMALL = ENVELOPE.format(
    '<n:GetOrdersResponse xmlns:n="urn:mplusqapi"><n:orderList>'
    "<n:order><n:orderId>a</n:orderId><n:syncMarker>1</n:syncMarker><n:reference>é &amp; x</n:reference></n:order>"
    "<n:order><n:orderId>b</n:orderId><n:syncMarker>x</n:syncMarker></n:order>"
    "</n:orderList></n:GetOrdersResponse>"
).encode()


ROW = "<relationPointsLst><relationNumber>{0}</relationNumber><points>5</points><syncMarker>{0}</syncMarker></relationPointsLst>"


FAULT = ENVELOPE.format(
    "<S:Fault><faultcode>S:Client.Authentication</faultcode><faultstring>no\n such  ident</faultstring><detail>d</detail>"
    "</S:Fault>"
).encode()


BOMB = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {x} "&{y};&{y};&{y};&{y};&{y};">' for x, y in zip("bcdefghi", "abcdefgh", strict=True))
    + "]>"
)


EXTERNAL = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'

"""Pages that are read item by item."""

from tests.support.pos.page_samples import ENVELOPE

EMPLOYEE = "<n:employee><n:employeeNumber>{0}</n:employeeNumber>{1}<n:syncMarker>{0}</n:syncMarker></n:employee>"


def _page(*items: str, name: str = "order") -> str:
    lists = f"<n:{name}List>{''.join(items)}</n:{name}List>"
    return ENVELOPE.format(f'<n:GetResponse xmlns:n="urn:mplusqapi"><n:before/>{lists}<n:behind a=">"/></n:GetResponse>')

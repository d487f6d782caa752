"""A simulated POS that speaks the real SOAP: a seeded shop, its activity, and faults that are switched while it runs.

It shares no code with the connector's own reading and writing of XML, so that both cannot agree on a mistake.
"""

from connector.sandbox.faults.switches import Faults
from connector.sandbox.options import SandboxOptions
from connector.sandbox.order_operations.staff import StaffedShop
from connector.sandbox.server import Sandbox, serve
from connector.sandbox.shop.shop import Shop

__all__ = ["Faults", "Sandbox", "SandboxOptions", "Shop", "StaffedShop", "serve"]

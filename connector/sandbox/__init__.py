"""A simulated POS that speaks the real SOAP: a seeded shop, its activity, and faults that are switched while it runs.

It shares no code with the connector's own reading and writing of XML, so that both cannot agree on a mistake.
"""

from .faults import Faults
from .options import SandboxOptions
from .server import Sandbox, serve
from .shop import Shop
from .staff import StaffedShop

__all__ = ["Faults", "Sandbox", "SandboxOptions", "Shop", "StaffedShop", "serve"]

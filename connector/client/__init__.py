"""Order commands for Python programs: send one, await its result. Nothing of the connector needs to run in the same process."""

from connector.client.order_commands import OrderCommands
from connector.messages.result import Result

__all__ = ["OrderCommands", "Result"]

"""The operations on orders."""

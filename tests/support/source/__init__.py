"""Pollers in tests: one between a sandbox and a list, a whole worker, what they should have read."""

"""The simulated shop: its items, their sync markers, and life in it."""

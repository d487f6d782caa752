"""Seeing what happens: log, metrics, status, health. Only listens to events."""

"""Proof that nothing is missing: the source, read again, against the topic."""

"""Order commands → calls to the POS → results."""

"""Answers of the POS: decoded in a child process, item by item where they are broken."""

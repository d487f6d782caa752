"""SOAP as the sandbox reads and writes it."""

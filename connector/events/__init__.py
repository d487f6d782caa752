"""What happens inside the connector, said once. Log, metrics and status listen."""

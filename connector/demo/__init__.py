"""The demo: a real Kafka, the sandbox POS and the connector, started by one command."""

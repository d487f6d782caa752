"""From the POS to Kafka: every change of every entity, each page one transaction with its position."""

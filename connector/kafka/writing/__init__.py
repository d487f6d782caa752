"""Writing to Kafka: fenced transactions, and an idempotent producer that tells the truth."""

"""Apache Kafka: records, topics, transactions, ownership. Knows nothing of the POS."""

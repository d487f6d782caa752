"""What is said on Kafka: the form of each record, in one place."""

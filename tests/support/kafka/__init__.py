"""Kafka as tests see it: topics, what is in them, odd records."""

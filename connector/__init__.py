"""MplusKASSA point of sale to Apache Kafka and back, exactly once."""

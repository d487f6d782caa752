"""Apache Kafka for the demo, the tests and the benchmarks: a given address, a container, or a JVM of ours."""

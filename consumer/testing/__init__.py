"""Kafka and object storage in this process's memory, and a replica on them: for tests of platform code."""

"""Kafka, by confluent-kafka."""

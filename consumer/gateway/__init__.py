"""The HTTP gateway: requests and their outcomes for whoever holds a key, without Kafka at hand."""

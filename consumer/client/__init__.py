"""For platform code: requests go in, outcomes come out. Needs neither TensorFlow nor object storage."""

from consumer.client.kafka import Client, Watch

__all__ = ["Client", "Watch"]

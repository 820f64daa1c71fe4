"""What a client needs, from the environment."""

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.factories import make_codec, make_store
from consumer.client.files import Files
from consumer.settings import ClientSettings, JobSettings, KafkaSettings, SchemaSettings, TopicSettings


def kafka_from_env() -> tuple[KafkaSettings, TopicSettings, AvroCodec]:
    """How the brokers are reached, and how what they hold is read. Raises SettingsError."""
    topics = TopicSettings.load()
    return KafkaSettings.load(), topics, make_codec(SchemaSettings.load(), topics)


def files_from_env() -> Files:
    """The object store and the bucket for uploads. Raises SettingsError, Fatal."""
    bucket = ClientSettings.load().upload_bucket
    if bucket is None:  # a client need not know where the stems go, which the other settings of jobs are about
        bucket = JobSettings.load_usable()[0].allowed_source_buckets[0]
    return Files(make_store(), bucket)

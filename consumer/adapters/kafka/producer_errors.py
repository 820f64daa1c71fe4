"""What mends an error of the transactional producer: one table, by the error's code.

What is not in it is judged by the flags that librdkafka gives an error: a fatal one ends the producer, one that asks
for an abort passes, and whatever else was not foreseen is met with a new producer, which settles everything.
"""

from collections.abc import Mapping
from enum import Enum, auto

from confluent_kafka import KafkaError


class Cure(Enum):
    """What to do about an error."""

    WAIT = auto()  # abort, and do the same again: the brokers are away, or busy
    NEW_PRODUCER = auto()  # this one's identity is gone for good
    OTHER_OWNER = auto()  # abort, and leave it to the replica that the partition is now with
    SMALLER = auto()  # abort, and send less
    TOPIC = auto()  # abort: one topic does not take what is for it, and others may
    STOP = auto()  # Kafka will not have us, and an operator has to mend it


CURES: Mapping[int, Cure] = {
    # The coordinator forgets a transactional id that was idle for transactional.id.expiration.ms.
    KafkaError.INVALID_PRODUCER_ID_MAPPING: Cure.NEW_PRODUCER,
    KafkaError.UNKNOWN_PRODUCER_ID: Cure.NEW_PRODUCER,
    KafkaError.INVALID_PRODUCER_EPOCH: Cure.NEW_PRODUCER,
    KafkaError.INVALID_TXN_STATE: Cure.NEW_PRODUCER,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER: Cure.NEW_PRODUCER,
    KafkaError.PRODUCER_FENCED: Cure.NEW_PRODUCER,
    KafkaError._FENCED: Cure.NEW_PRODUCER,
    # The transaction is over already: a message before has failed, which is told of once it is aborted.
    KafkaError._STATE: Cure.WAIT,
    # A password that is exchanged may be on one side only, for a moment; a start gives up by itself.
    KafkaError._AUTHENTICATION: Cure.WAIT,
    # A rebalance has taken the partition away, or ended the generation that the work began in.
    KafkaError.ILLEGAL_GENERATION: Cure.OTHER_OWNER,
    KafkaError.UNKNOWN_MEMBER_ID: Cure.OTHER_OWNER,
    KafkaError.FENCED_INSTANCE_ID: Cure.OTHER_OWNER,
    KafkaError.FENCED_MEMBER_EPOCH: Cure.OTHER_OWNER,
    KafkaError.STALE_MEMBER_EPOCH: Cure.OTHER_OWNER,
    KafkaError.REBALANCE_IN_PROGRESS: Cure.OTHER_OWNER,
    KafkaError.MSG_SIZE_TOO_LARGE: Cure.SMALLER,
    KafkaError.RECORD_LIST_TOO_LARGE: Cure.SMALLER,
    # It is missing, may not be written to, or its own settings refuse the record, as compaction does without a key.
    KafkaError._UNKNOWN_TOPIC: Cure.TOPIC,
    KafkaError._UNKNOWN_PARTITION: Cure.TOPIC,
    KafkaError.UNKNOWN_TOPIC_OR_PART: Cure.TOPIC,
    KafkaError.TOPIC_EXCEPTION: Cure.TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Cure.TOPIC,
    KafkaError.POLICY_VIOLATION: Cure.TOPIC,
    KafkaError.INVALID_RECORD: Cure.TOPIC,
    KafkaError.INVALID_TIMESTAMP: Cure.TOPIC,
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT: Cure.TOPIC,
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE: Cure.TOPIC,
    KafkaError.NOT_ENOUGH_REPLICAS: Cure.TOPIC,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND: Cure.TOPIC,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Cure.STOP,
    KafkaError.GROUP_AUTHORIZATION_FAILED: Cure.STOP,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: Cure.STOP,
    KafkaError.INVALID_TRANSACTION_TIMEOUT: Cure.STOP,
    KafkaError.UNSUPPORTED_VERSION: Cure.STOP,
    KafkaError._UNSUPPORTED_FEATURE: Cure.STOP,
}

# Whoever has taken the place of a producer is told of by these alone.
REPLACED = frozenset({KafkaError.PRODUCER_FENCED, KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
# A message that the broker refuses for good, as one that is too large, leaves a gap behind it; librdkafka then tells of
# the gap, and not always of the message. With a message that has failed there is no commit.
BROKEN = frozenset({KafkaError._STATE, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER})
# What other messages of a transaction get once one of them has failed.
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})


def cure_of(error: KafkaError) -> Cure:
    """What mends the error that ended a transaction, or kept a producer from starting."""
    known = CURES.get(error.code())
    if error.fatal() and known is not Cure.STOP:
        return Cure.NEW_PRODUCER
    if known is not None:
        return known
    return Cure.WAIT if error.retriable() or error.txn_requires_abort() else Cure.NEW_PRODUCER


def is_of_its_topic(error: KafkaError, *, others_were_taken: bool) -> bool:
    """Whether a message was not delivered because of its topic.

    One that was only not answered in time says so of its topic alone where `others_were_taken` in the meantime.
    """
    if error.code() in _PURGED:
        return False
    return CURES.get(error.code()) is Cure.TOPIC or (error.code() == KafkaError._MSG_TIMED_OUT and others_were_taken)

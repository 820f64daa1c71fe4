"""The properties that librdkafka is given, and why. KAFKA_<PROPERTY> overrides any that the promises don't rest on."""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException

from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.following import FOLLOWED, made_to_follow, read_all
from consumer.core.errors import SettingsError
from consumer.settings import KafkaSettings, variable_of

TRANSACTION_TIMEOUT_MS = 10_000  # a transaction here takes milliseconds; one that is left behind blocks its partitions

# Properties that only say something about a member of a group; a client that is none may not even be made with them.
MEMBER_PREFIXES = ("group.", "heartbeat.", "max.poll", "partition.assignment", "session.")
# librdkafka warns of these on a producer.
_CONSUMER_PREFIXES = (*MEMBER_PREFIXES, "auto.offset", "fetch.", "max.partition", "queued.")

NO_GROUP = "unused"  # librdkafka wants a group's name of every consumer
# What a consumer in no group may be told all the same, where brokers have an authorizer: it has no right to that name.
NO_GROUPS_ERROR = KafkaError.GROUP_AUTHORIZATION_FAILED

ClientT = TypeVar("ClientT")

_SAY_AGAIN_S, _MOST_SAID = 30.0, 1000


def connect(client: Callable[..., ClientT], config: dict[str, Any], role: str) -> ClientT:
    """A librdkafka client that logs as `role`, with secrets as their files are now.

    Raises SettingsError, which names the variable, for a wrong property.
    """
    files = config.get(FOLLOWED, {})
    config = {name: value for name, value in config.items() if name != FOLLOWED} | read_all(files)
    logger: Any = Sparing(logging.getLogger(f"librdkafka.{role}"))
    if isinstance(errors := config.get("error_cb"), ConnectionErrors):
        logger = _Overheard(logger, errors)
    try:
        return made_to_follow(client, files)(config, logger=logger)
    except KafkaException as error:
        reason = str(error.args[0].str())
        named = [n for n in re.findall(r"[a-z_]+(?:\.[a-z_]+)*", reason) if n in config]
        # Of two that don't go together the one to blame is the one that was given, as text: ours are given as values.
        named.sort(key=lambda name: not isinstance(config[name], str))
        variable = variable_of(named[0]) if named else "KAFKA_..."
        raise SettingsError(f"{variable}: {reason}", variables=(variable,)) from error


class Sparing:
    """A logger that says a line anew after half a minute only, whatever numbers are in it.

    librdkafka does so itself for each broker, and forgets it with the broker: a client that begins anew, again and
    again, would write twenty lines a second for as long as no broker answers.
    """

    def __init__(self, logger: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._clock = logger, clock
        self._said_at: dict[str, float] = {}

    def log(self, level: int, line: str, *arguments: object) -> None:
        """As logging.Logger.log."""
        now, words = self._clock(), re.sub(r"\d+", "", line % arguments if arguments else line)
        if now - self._said_at.get(words, -math.inf) < _SAY_AGAIN_S:
            return
        if len(self._said_at) >= _MOST_SAID:
            self._said_at.clear()
        self._said_at[words] = now
        self._logger.log(level, line, *arguments)


class _Overheard:
    """A logger whose lines are heard by whoever wants to know why there is no connection."""

    def __init__(self, logger: Any, errors: ConnectionErrors) -> None:
        self._logger, self._errors = logger, errors

    def log(self, level: int, line: str, *arguments: object) -> None:
        self._errors.hear(line % arguments if arguments else line)
        self._logger.log(level, line, *arguments)


def common_config(settings: KafkaSettings) -> dict[str, Any]:
    """What every client is made with: where the brokers are, and that it comes back to them after an outage."""
    return ({FOLLOWED: settings.secret_files} if settings.secret_files else {}) | {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "spleeter-consumer",
        # A broker that comes back is to be used within a second, not within the default's ten.
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        # A client drops the brokers that the cluster does not name, those that it was started with too. Where it names
        # none for a moment, as a single broker does that has been frozen and is fenced, only this brings them back
        # (librdkafka 2.16; `none` leaves a client that never connects again).
        "metadata.recovery.strategy": "rebootstrap",
        "socket.keepalive.enable": True,
        # Producers ask for it unless they are told not to: a misspelt name would become a topic that nobody reads.
        "allow.auto.create.topics": False,
    }


def consumer_config(settings: KafkaSettings, group_instance_id: str | None) -> dict[str, Any]:
    """For a member of the group; a static one if it is given an instance id."""
    config = common_config(settings) | {
        "group.id": settings.group_id,
        "group.protocol": settings.group_protocol,
        "auto.offset.reset": "earliest",
        # Transactions leave markers behind the last record; only this tells that there is nothing behind them.
        "enable.partition.eof": True,
        # What a pause and resume costs at most.
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 16_384,
        "max.poll.interval.ms": 60_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        "statistics.interval.ms": 1_000,  # they tell whether brokers are there
    }
    # Range spreads each topic by itself. The others only even out the sum: measured on Kafka 4.3, of three replicas
    # one then gets all partitions of the requests, and the others those of the retry topics, which are nearly empty.
    if settings.group_protocol == "classic":
        # Cooperation would gain nothing: any rebalance ends the generation that a job would have to commit with.
        config |= {
            "partition.assignment.strategy": "range",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_000,
        }
    else:
        config["group.remote.assignor"] = "range"
    if group_instance_id:
        config["group.instance.id"] = group_instance_id
    ours = {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "check.crcs": True,  # what a broker's disk has altered is no request of anybody's
    }
    return config | settings.properties | ours


def hands_over_one_by_one(config: Mapping[str, Any]) -> bool:
    """Whether a member of this configuration is assigned what is new to it, and not all that it has each time."""
    return config["group.protocol"] == "consumer" or "cooperative" in str(config["partition.assignment.strategy"])


def connect_reader(
    settings: KafkaSettings, role: str, *, group_id: str = NO_GROUP, properties: Mapping[str, Any] | None = None
) -> Consumer:
    """A consumer of committed records that joins no group; the one place where such clients are made.

    `group_id` is the group whose commits it asks for, if it does. `properties` are this reader's own and outdo
    KAFKA_<PROPERTY>. Raises SettingsError, which names the variable, for a wrong property.
    """
    return connect(Consumer, reader_config(settings, group_id=group_id, properties=properties), role)


def reader_config(
    settings: KafkaSettings, *, group_id: str = NO_GROUP, properties: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `connect_reader` makes its client with: what is set for members of a group is left out."""
    given = _without(settings.properties, MEMBER_PREFIXES)
    ours = {"group.id": group_id, "enable.auto.commit": False, "isolation.level": "read_committed", "check.crcs": True}
    return common_config(settings) | given | dict(properties or {}) | ours


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """For a producer or an admin client: what is set for consumers is left out."""
    return common_config(settings) | {
        "linger.ms": 0,
        "compression.type": "lz4",
        # A dead letter holds the record that failed, which may be as large as a record can be.
        "message.max.bytes": 2 << 20,
    } | _without(settings.properties, _CONSUMER_PREFIXES)  # fmt: skip


def transactional_config(settings: KafkaSettings, transactional_id: str) -> dict[str, Any]:
    """For the producer of outcomes; of those with the same `transactional_id` the latest alone may publish."""
    return producer_config(settings) | {
        "transactional.id": transactional_id,
        # A client that begins anew forgets its coordinator, and the next transaction waits for ever for that
        # one (seen with librdkafka 2.16).
        "metadata.recovery.strategy": "none",
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        # A topic that is missing is told of before the transaction's time is over, and not as a message that was slow.
        "topic.metadata.propagation.max.ms": 2_000,
        # The broker asks to wait while it ends the transaction before; at the default of 100 ms each one costs 104 ms.
        "retry.backoff.ms": 1,
    }


def _without(properties: dict[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in properties.items() if not name.startswith(prefixes)}

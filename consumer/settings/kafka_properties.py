"""Every property of librdkafka, and whether KAFKA_<PROPERTY> may set it: freely, within bounds, or not at all.

The table is held against what the installed library accepts, so that a property that is new to it is reviewed before
it can be set here in good faith.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Any value that librdkafka itself takes."""

    def objection(self, _: str) -> str:
        """What speaks against that value, "" if nothing does."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A number from `lowest` to `highest`, both included; `why` not beyond."""

    lowest: int
    highest: int
    why: str

    def objection(self, value: str) -> str:
        """What speaks against that value, "" if nothing does."""
        if not re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", value) or not self.lowest <= float(value) <= self.highest:
            return f"must be a number from {self.lowest} to {self.highest}: {self.why}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """One of `choices`, whatever its case; `why` no other."""

    choices: Sequence[str]
    why: str

    def objection(self, value: str) -> str:
        """What speaks against that value, "" if nothing does."""
        if value.strip().lower() in self.choices:
            return ""
        return f"must be one of {', '.join(self.choices)}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No value: what it is must stay as it is, and `why`."""

    why: str

    def objection(self, _: str) -> str:
        """What speaks against any value."""
        return f"is set by the consumer itself and can't be changed: {self.why}"


Rule = Free | Within | OneOf | Refused

_FREE = """
builtin.features client.id client.rack client.dns.lookup debug log_level log.connection.close log.thread.name
enable.metrics.push broker.address.family broker.address.ttl connections.max.idle.ms
socket.send.buffer.bytes socket.receive.buffer.bytes socket.keepalive.enable socket.nagle.disable
socket.blocking.max.ms topic.metadata.refresh.fast.cnt topic.metadata.refresh.fast.interval.ms
topic.metadata.refresh.sparse reconnect.backoff.jitter.ms message.copy.max.bytes
security.protocol ssl.cipher.suites ssl.curves.list ssl.sigalgs.list ssl.key.location ssl.key.password ssl.key.pem
ssl.certificate.location ssl.certificate.pem ssl.ca.location ssl.ca.pem ssl.ca.certificate.stores ssl.crl.location
ssl.keystore.location ssl.keystore.password ssl.providers ssl.engine.location ssl.engine.id https.ca.location
https.ca.pem enable.ssl.certificate.verification ssl.endpoint.identification.algorithm
sasl.mechanisms sasl.mechanism sasl.kerberos.service.name sasl.kerberos.principal sasl.kerberos.kinit.cmd
sasl.kerberos.keytab sasl.kerberos.min.time.before.relogin sasl.username sasl.password
sasl.oauthbearer.config enable.sasl.oauthbearer.unsecure.jwt sasl.oauthbearer.method sasl.oauthbearer.client.id
sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
sasl.oauthbearer.client.secret sasl.oauthbearer.scope sasl.oauthbearer.extensions
sasl.oauthbearer.token.endpoint.url sasl.oauthbearer.sub.claim.name sasl.oauthbearer.grant.type
sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.private.key.file
sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include
sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub
sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.metadata.authentication.type
partition.assignment.strategy group.remote.assignor
compression.codec compression.type compression.level batch.num.messages batch.size delivery.report.only.error
sticky.partitioning.linger.ms queue.buffering.backpressure.threshold produce.offset.report
"""

_SOON = "what is new, or comes back, is to be noticed within seconds"
_MEMORY = "records that wait take memory"
_RECORD = "a record of the largest size, and a dead letter that holds one, must fit"
_TRANSACTION = "a transaction's time is 10 s, and what belongs to it must end within"
_MEMBER = "the group is to notice a replica that is gone, and none that is not"

_WITHIN: Mapping[str, tuple[int, int, str]] = {
    "message.max.bytes": (2 << 20, 1_000_000_000, _RECORD),
    "receive.message.max.bytes": (100_000_000, 2_147_483_647, _RECORD),
    "fetch.max.bytes": (2 << 20, 99_999_488, f"{_RECORD}; {_MEMORY}"),
    "fetch.message.max.bytes": (1024, 100_000_000, _MEMORY),
    "max.partition.fetch.bytes": (1024, 100_000_000, _MEMORY),
    "queued.min.messages": (1, 100_000, _MEMORY),
    "queued.max.messages.kbytes": (1024, 1 << 20, _MEMORY),
    "queue.buffering.max.messages": (1000, 10_000_000, "the outcomes of one transaction must fit, and be bounded"),
    "queue.buffering.max.kbytes": (8192, 2_147_483_647, _RECORD),
    "fetch.min.bytes": (1, 1 << 20, "one short record is not to wait for others"),
    "fetch.wait.max.ms": (1, 1000, "pausing a partition and resuming it costs as much"),
    "fetch.queue.backoff.ms": (0, 1000, _SOON),
    "fetch.error.backoff.ms": (0, 5000, _SOON),
    "topic.metadata.refresh.interval.ms": (1000, 300_000, "new partitions are found by it"),
    "topic.metadata.propagation.max.ms": (0, 30_000, "a topic that is missing is to be told of"),
    "metadata.max.age.ms": (1000, 900_000, "new partitions are found by it"),
    "statistics.interval.ms": (1000, 5000, "/ready learns from them whether brokers are there"),
    "reconnect.backoff.ms": (0, 1000, _SOON),
    "reconnect.backoff.max.ms": (1000, 10_000, _SOON),
    "retry.backoff.ms": (1, 1000, _SOON),
    "retry.backoff.max.ms": (1000, 10_000, _SOON),
    "socket.timeout.ms": (1000, 9_900, _TRANSACTION),
    "socket.connection.setup.timeout.ms": (1000, 60_000, _SOON),
    "socket.max.fails": (1, 10, "a connection that answers no more is to be given up"),
    "api.version.request.timeout.ms": (100, 60_000, _SOON),
    "request.timeout.ms": (1000, 30_000, "a broker that does not answer is to be told of"),
    "message.timeout.ms": (100, 10_000, _TRANSACTION),
    "delivery.timeout.ms": (100, 10_000, _TRANSACTION),
    "queue.buffering.max.ms": (0, 1000, "outcomes are not to wait for others"),
    "linger.ms": (0, 1000, "outcomes are not to wait for others"),
    "max.in.flight.requests.per.connection": (1, 5, "brokers keep the order of no more"),
    "max.in.flight": (1, 5, "brokers keep the order of no more"),
    "session.timeout.ms": (3000, 60_000, _MEMBER),
    "heartbeat.interval.ms": (100, 2000, _MEMBER),
    "max.poll.interval.ms": (6000, 3_600_000, _MEMBER),
    "coordinator.query.interval.ms": (1000, 600_000, _SOON),
}

_PARTITIONERS = ("consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random")

_REFUSED: Mapping[str, str] = {
    "requests that nobody has read yet would be passed over without an outcome": "auto.offset.reset",
    "offsets are committed with the outcomes, in their transaction, and in no other way": """
        enable.auto.commit auto.commit.enable auto.commit.interval.ms enable.auto.offset.store
        offset.store.method offset.store.path offset.store.sync.interval.ms""",
    "a request of a transaction that was aborted would be done": "isolation.level",
    "what a broker's disk has altered would be taken for a request": "check.crcs",
    "only the ends of partitions tell that nothing is left; without them a lag of transaction markers stays": (
        "enable.partition.eof"
    ),
    "outcomes are published by an idempotent producer in transactions": """
        transactional.id transaction.timeout.ms enable.idempotence enable.gapless.guarantee
        request.required.acks acks retries message.send.max.retries queuing.strategy msg_order_cmp""",
    "transactions need what brokers say of themselves": """
        api.version.request api.version.fallback.ms broker.version.fallback""",
    "after an outage a client must come back to the brokers it was started with": """
        metadata.recovery.strategy metadata.recovery.rebootstrap.trigger.ms""",
    "KAFKA_BOOTSTRAP_SERVERS says where the brokers are": "bootstrap.servers metadata.broker.list",
    "KAFKA_GROUP_ID names the group": "group.id",
    "KAFKA_GROUP_PROTOCOL says how the group works": "group.protocol group.protocol.type",
    "INSTANCE_ID names a static member": "group.instance.id",
    "topics are made by `topics create` alone": "allow.auto.create.topics",
    "a topic of the service that is hidden would never be read": "topic.blacklist",
    "it is for share groups, which have no transactions": "max.poll.records share.acknowledgement.mode",
    "code that is loaded into the client may change what is read and sent": "plugin.library.paths interceptors",
    "the client's log is the service's": "log.queue log_cb",
    "it takes a function or an object of the program, and no text": """
        enabled_events error_cb throttle_cb stats_cb background_event_cb socket_cb connect_cb closesocket_cb open_cb
        resolve_cb opaque default_topic_conf ssl_key ssl_certificate ssl_ca ssl_engine_callback_data
        ssl.certificate.verify_cb oauthbearer_token_refresh_cb consume_cb rebalance_cb offset_commit_cb dr_cb
        dr_msg_cb partitioner_cb consume.callback.max.messages""",
    "the process's signals and random numbers are its own": "internal.termination.signal enable.random.seed",
}

RULES: Mapping[str, Rule] = {
    **{name: Free() for name in _FREE.split()},
    **{name: Within(lowest=low, highest=high, why=why) for name, (low, high, why) in _WITHIN.items()},
    "partitioner": OneOf(choices=_PARTITIONERS, why="what is sent of one request is to stay in order"),
    **{name: Refused(why=why) for why, names in _REFUSED.items() for name in names.split()},
}


# What may lie in a file instead, which KAFKA_<PROPERTY>_FILE names: secrets, and the user that a password belongs to.
_MAY_LIE_IN_FILES = """
sasl.username sasl.password ssl.key.password ssl.key.pem ssl.certificate.pem ssl.keystore.password
sasl.oauthbearer.config sasl.oauthbearer.client.secret sasl.oauthbearer.client.credentials.client.secret
sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
"""
SECRET = frozenset(_MAY_LIE_IN_FILES.split())


def variable_of(librdkafka_property: str) -> str:
    """The environment variable that sets a librdkafka property."""
    return "KAFKA_" + librdkafka_property.upper().replace(".", "_")


_BY_VARIABLE = {variable_of(name): name for name in RULES}


def property_of(variable: str) -> str:
    """The librdkafka property that an environment variable sets; what the table does not know, by `_` for `.`."""
    return _BY_VARIABLE.get(variable, variable.removeprefix("KAFKA_").lower().replace("_", "."))


def secret_in(variable: str) -> str:
    """The property whose value lies in the file that this variable names, "" where it names none."""
    name = property_of(variable.removesuffix("_FILE"))
    return name if variable.endswith("_FILE") and name in SECRET else ""


def objection_to(librdkafka_property: str, value: str) -> str:
    """Why that property may not have that value, "" if it may. What the table does not know librdkafka judges."""
    rule = RULES.get(librdkafka_property)
    return rule.objection(value) if rule else ""

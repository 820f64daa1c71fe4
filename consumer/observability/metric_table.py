"""Every metric in one table: its name, type, labels, unit and meaning.

What is counted as it happens (`metrics`) and what is computed at a scrape (`collectors`) are both made from here, so
nothing can be exported that does not stand here.
"""

from dataclasses import dataclass
from enum import StrEnum

_STAGE_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0)
_HTTP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)


class Kind(StrEnum):
    """A metric's type, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One metric. Its name is the one to ask Prometheus for: a counter's ends with _total, an info's with _info.

    `unit` is what its values count, seconds and bytes or things: never milliseconds, never kilobytes. A label never
    holds an id, a key or a stranger's word. `buckets` are a histogram's upper bounds.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...] = ()
    unit: str
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """The name without its type's ending, as the client library and OpenMetrics have it."""
        endings = {Kind.COUNTER: "_total", Kind.INFO: "_info"}
        return self.name.removesuffix(endings.get(self.kind, ""))


BUILD = MetricSpec(
    name="separation_build_info",
    kind=Kind.INFO,
    labels=("version", "runtime"),
    unit="always 1",
    meaning="What this replica is",
)
JOBS = MetricSpec(
    name="separation_jobs_total",
    kind=Kind.COUNTER,
    labels=("outcome", "code"),
    unit="records",
    meaning="Records that got their outcome, by outcome (done, retried, dead_lettered) and dead-letter code",
)
STAGE_SECONDS = MetricSpec(
    name="separation_stage_seconds",
    kind=Kind.HISTOGRAM,
    labels=("stage",),
    unit="seconds",
    meaning="Time a record spent in a stage",
    buckets=_STAGE_BUCKETS_S,
)
AUDIO_SECONDS = MetricSpec(
    name="separation_audio_seconds_total",
    kind=Kind.COUNTER,
    labels=("model",),
    unit="seconds of audio",
    meaning="Audio that was separated",
)
RETRIES = MetricSpec(
    name="separation_retries_total",
    kind=Kind.COUNTER,
    labels=("stage",),
    unit="retries",
    meaning="Steps tried again, in place or through a retry topic",
)
OUTAGE_CHECKS = MetricSpec(
    name="separation_outage_checks_total",
    kind=Kind.COUNTER,
    labels=("stage",),
    unit="checks",
    meaning="Looks, once a second and job, whether a dependency that is away for everyone is back; no attempt is used",
)
DEAD_LETTERS = MetricSpec(
    name="separation_dead_letters_total",
    kind=Kind.COUNTER,
    labels=("code",),
    unit="dead letters",
    meaning="Dead letters published",
)
AUDIT_EVENTS_LOST = MetricSpec(
    name="separation_audit_events_lost_total",
    kind=Kind.COUNTER,
    unit="events",
    meaning="Audit events that the audit topic did not take, and that work went on without; each is still a log line",
)
REALTIME_FACTOR = MetricSpec(
    name="separation_realtime_factor",
    kind=Kind.GAUGE,
    labels=("model",),
    unit="seconds of audio per second",
    meaning="Seconds of audio separated a second of work, recently",
)
IN_FLIGHT = MetricSpec(
    name="separation_in_flight", kind=Kind.GAUGE, unit="records", meaning="Records at work in this replica"
)
REBALANCES = MetricSpec(
    name="separation_rebalances_total",
    kind=Kind.COUNTER,
    unit="rebalances",
    meaning="Changes of the assigned partitions",
)
SEPARATOR_RESTARTS = MetricSpec(
    name="separation_separator_restarts_total",
    kind=Kind.COUNTER,
    unit="restarts",
    meaning="Separator processes started again",
)
SCRATCH_FREE = MetricSpec(
    name="separation_scratch_free_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    meaning="Free space where tracks lie while they are worked on",
)
PROCESS_CPU = MetricSpec(
    name="separation_process_cpu_seconds_total",
    kind=Kind.COUNTER,
    labels=("process",),
    unit="seconds",
    meaning="Processor time, by process: consumer, separator, ffmpeg",
)
PROCESS_MEMORY = MetricSpec(
    name="separation_process_memory_bytes",
    kind=Kind.GAUGE,
    labels=("process",),
    unit="bytes",
    meaning="Resident memory, by process",
)
KAFKA_RECEIVED = MetricSpec(
    name="separation_kafka_received_bytes_total",
    kind=Kind.COUNTER,
    unit="bytes",
    meaning="Bytes from the brokers, group traffic included",
)
KAFKA_SENT = MetricSpec(
    name="separation_kafka_sent_bytes_total", kind=Kind.COUNTER, unit="bytes", meaning="Bytes to the brokers"
)
KAFKA_ROUND_TRIP = MetricSpec(
    name="separation_kafka_round_trip_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    meaning="Mean time that the slowest broker took to answer, fetches that wait included",
)
LAG_MESSAGES = MetricSpec(
    name="separation_lag_messages",
    kind=Kind.GAUGE,
    labels=("topic", "partition"),
    unit="records",
    meaning="Records of the group without an outcome, whoever owns the partition",
)
LAG_SECONDS = MetricSpec(
    name="separation_lag_seconds",
    kind=Kind.GAUGE,
    labels=("topic", "partition"),
    unit="seconds",
    meaning="Age of the oldest record without an outcome",
)
OPEN_TRANSACTION_MESSAGES = MetricSpec(
    name="separation_open_transaction_messages",
    kind=Kind.GAUGE,
    labels=("topic", "partition"),
    unit="offsets",
    meaning="What lies behind a sender's open transaction, counted by offsets: nobody can read it, and no lag has it",
)
OPEN_TRANSACTION_SECONDS = MetricSpec(
    name="separation_open_transaction_seconds",
    kind=Kind.GAUGE,
    labels=("topic", "partition"),
    unit="seconds",
    meaning="For how long readers have stood before the same open transaction of a sender; 0 where there is none",
)
BACKLOG_WORK = MetricSpec(
    name="separation_backlog_work_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    meaning="Time that one separator would need for all records without an outcome",
)
DESIRED_REPLICAS = MetricSpec(
    name="separation_desired_replicas",
    kind=Kind.GAUGE,
    unit="replicas",
    meaning="Replicas that would do this work within TARGET_WAIT_S",
)
HTTP_REQUESTS = MetricSpec(
    name="separation_http_requests_total",
    kind=Kind.COUNTER,
    labels=("method", "route", "status"),
    unit="requests",
    meaning="Requests that the gateway answered, by the template of their route; status 0: the client went away",
)
HTTP_SECONDS = MetricSpec(
    name="separation_http_request_seconds",
    kind=Kind.HISTOGRAM,
    labels=("route",),
    unit="seconds",
    meaning="From a request's headers to the end of its answer, streams included",
    buckets=_HTTP_BUCKETS_S,
)
HTTP_OPEN = MetricSpec(
    name="separation_http_connections",
    kind=Kind.GAUGE,
    unit="connections",
    meaning="Clients that are connected to the gateway",
)
HTTP_UPLOADED = MetricSpec(
    name="separation_http_upload_bytes_total",
    kind=Kind.COUNTER,
    unit="bytes",
    meaning="What the gateway received of files, also of those that it refused in the end",
)
HTTP_STREAMS = MetricSpec(
    name="separation_http_open_streams",
    kind=Kind.GAUGE,
    unit="streams",
    meaning="Streams of events that the gateway has open",
)
INDEX_JOBS = MetricSpec(
    name="separation_index_jobs",
    kind=Kind.GAUGE,
    unit="jobs",
    meaning="Jobs that the gateway's index holds",
)
INDEX_LAG = MetricSpec(
    name="separation_index_lag_messages",
    kind=Kind.GAUGE,
    unit="records",
    meaning="Records that the gateway's index has not read yet, as far as the brokers have told it",
)
WEBHOOK_ATTEMPTS = MetricSpec(
    name="separation_webhook_attempts_total",
    kind=Kind.COUNTER,
    labels=("outcome",),
    unit="attempts",
    meaning="Attempts to tell an endpoint (delivered, failed, refused, gone), and outcomes that were given_up",
)
WEBHOOK_OLDEST = MetricSpec(
    name="separation_webhook_oldest_undelivered_seconds",
    kind=Kind.GAUGE,
    labels=("endpoint",),
    unit="seconds",
    meaning="Age of the oldest outcome that an endpoint was not told of, by its id in the file; 0 where none waits",
)

METRICS: tuple[MetricSpec, ...] = (
    JOBS,
    DEAD_LETTERS,
    STAGE_SECONDS,
    RETRIES,
    OUTAGE_CHECKS,
    AUDIT_EVENTS_LOST,
    AUDIO_SECONDS,
    REALTIME_FACTOR,
    IN_FLIGHT,
    REBALANCES,
    SEPARATOR_RESTARTS,
    SCRATCH_FREE,
    PROCESS_CPU,
    PROCESS_MEMORY,
    KAFKA_RECEIVED,
    KAFKA_SENT,
    KAFKA_ROUND_TRIP,
    LAG_MESSAGES,
    LAG_SECONDS,
    OPEN_TRANSACTION_MESSAGES,
    OPEN_TRANSACTION_SECONDS,
    BACKLOG_WORK,
    DESIRED_REPLICAS,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    HTTP_OPEN,
    HTTP_UPLOADED,
    HTTP_STREAMS,
    INDEX_JOBS,
    INDEX_LAG,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_OLDEST,
    BUILD,
)

"""The parts of a gateway, each made of its settings."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from consumer.adapters.factories import (
    make_codec,
    make_erasable_store,
    make_object_links,
    make_part_store,
    public_origin,
)
from consumer.adapters.kafka.dead_letters import KafkaDeadLetters
from consumer.adapters.kafka.topic_ids import TopicIds
from consumer.app.group_child import read_group
from consumer.app.vendors import make_lag
from consumer.client.decoding import EventDecoder
from consumer.client.reader import Begin, TopicReader
from consumer.core.errors import BrokerUnavailable, SettingsError
from consumer.core.lag import Backlog
from consumer.core.ports import ObjectStore, RangedReads
from consumer.gateway.events.resume import Log
from consumer.gateway.events.room import StreamRoom
from consumer.gateway.events.streams import EventStreams
from consumer.gateway.events.vector import EventIds
from consumer.gateway.finding import Finder
from consumer.gateway.forgetting import Forgetting, ForgettingPlace
from consumer.gateway.forgotten import Forgotten, ForgottenBook, ForgottenWatch
from consumer.gateway.index.causal_order import CausalOrder
from consumer.gateway.index.ends import TopicEnds
from consumer.gateway.index.follower import IndexFollower
from consumer.gateway.index.interpret import Interpreter, kinds_of
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.index.pruning import Pruner
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from consumer.gateway.letters import Letters
from consumer.gateway.metrics import GatewayMetrics
from consumer.gateway.operating import Operating
from consumer.gateway.publishing import Publisher
from consumer.gateway.requests import SourceRules
from consumer.gateway.sending import Submission
from consumer.gateway.services import LinksElsewhere, Services
from consumer.gateway.settings import Settings
from consumer.gateway.stems.content import StemStore
from consumer.gateway.stems.links import StemLinks
from consumer.gateway.trail import Trail
from consumer.gateway.uploads.asking import Asking
from consumer.gateway.uploads.contents import ContentPlace, Contents
from consumer.gateway.uploads.limits import UploadLimits
from consumer.gateway.uploads.receiving import Pace
from consumer.gateway.uploads.slots import Slots
from consumer.gateway.uploads.uploads import Uploads
from consumer.pipeline.forgetting import Eraser, ErasingPlace
from consumer.pipeline.forgotten import Forgetter, Tombstones
from consumer.pipeline.stages.validate import Validate
from consumer.pipeline.tenants import followed_tenants
from consumer.settings import retry_topics

REQUEST_S = 10.0  # within which brokers answer
_ASK_IDS = 3  # times


def make_follower(
    settings: Settings, table: JobTable, progress: ProgressBook, index: JobIndex, ends: TopicEnds
) -> IndexFollower:
    """With a codec of its own: it decodes in another thread. Raises BrokerUnavailable."""
    codec, kinds = make_codec(settings.schema, settings.topics), kinds_of(settings.topics)
    reader = TopicReader(settings.kafka, list(kinds), begin=Begin.BEGINNING, request_s=REQUEST_S)
    return IndexFollower(
        reader,
        Interpreter(codec, EventDecoder(codec, kinds), index.outcomes.note),
        IndexWriter(table, progress, requests_topic=settings.topics.requests, on_change=index.outlook.note),
        Pruner(table),
        order=CausalOrder((settings.topics.requests, settings.topics.progress), table.is_known_own, ends),
        on_batch=index.note,
    )


def make_services(
    settings: Settings,
    index: JobIndex,
    store: ObjectStore,
    publisher: Publisher,
    log: Log,
    uploads: Uploads | None,
    trail: Trail,
    hide: Callable[[Iterable[Forgotten]], None],
) -> Services:
    """What the routes use. uploads: what takes files; None where the store takes none. hide: has the index leave
    separations out. Raises SettingsError.
    """
    job = settings.job
    if not isinstance(store, RangedReads):
        raise SettingsError("OBJECT_STORE: can't read parts of objects (read_range)", variables=("OBJECT_STORE",))
    seal = job.seal()
    tombstones = Tombstones(store=store, bucket=job.output_bucket, prefix=job.output_prefix, seal=seal)
    finder = Finder(
        index,
        store,
        ForgottenBook(tombstones),
        output_bucket=job.output_bucket,
        output_prefix=job.output_prefix,
        seal=seal,
    )
    validate = Validate(
        source_buckets=job.allowed_source_buckets,
        output_bucket=job.output_bucket,
        output_prefix=job.output_prefix,
        further_output_buckets=job.allowed_output_buckets,
        tenants=followed_tenants(job.tenants_file),
    )
    submission = Submission(validate, finder, index, publisher, most_in_flight=settings.access.max_jobs_in_flight)
    sources = SourceRules(source_buckets=job.allowed_source_buckets, upload_bucket=upload_bucket(settings))
    place = ContentPlace(
        bucket=job.output_bucket, prefix=job.output_prefix, source_buckets=job.allowed_source_buckets, seal=seal
    )
    contents = Contents(store, place, submission)
    uploading = uploads.take(submission, finder, contents) if uploads else None
    room = StreamRoom(most=settings.gateway.http_max_streams, most_of_one=settings.access.max_streams)
    return Services(
        index=index,
        finder=finder,
        submission=submission,
        streams=EventStreams(index, finder, log, room),
        asking=Asking(sources, submission, contents, uploading),
        sources=sources,
        stems=StemStore(store, store),
        links=StemLinks(make_object_links(store), origin=public_origin()),
        operating=make_operating(settings),
        links_elsewhere=LinksElsewhere(settings.gateway.grafana_url, settings.gateway.traces_url),
        trail=trail,
        can_forget=_make_forgetting(settings, store, tombstones, finder, index, submission, hide),
        jobs=job,
    )


def _make_forgetting(
    settings: Settings,
    store: ObjectStore,
    tombstones: Tombstones,
    finder: Finder,
    index: JobIndex,
    submission: Submission,
    hide: Callable[[Iterable[Forgotten]], None],
) -> Forgetting | None:
    erasable, job = make_erasable_store(store), settings.job
    if erasable is None:
        return None
    place = ErasingPlace(
        bucket=job.output_bucket, prefix=job.output_prefix, upload_bucket=upload_bucket(settings), seal=job.seal()
    )
    forgetter = Forgetter(tombstones=tombstones, eraser=Eraser(store, erasable, place))
    places = ForgettingPlace(
        bucket=job.output_bucket, prefix=job.output_prefix, further_buckets=job.allowed_output_buckets
    )
    return Forgetting(finder, index, submission, forgetter, places, hide)


def make_watch(
    settings: Settings, store: ObjectStore, hide: Callable[[Iterable[Forgotten]], None]
) -> ForgottenWatch | None:
    """Looks for what is forgotten by others; None where nothing can be. Raises SettingsError."""
    erasable, job = make_erasable_store(store), settings.job
    return None if erasable is None else ForgottenWatch(erasable, job.output_bucket, job.output_prefix, hide)


def make_operating(settings: Settings) -> Operating:
    """What operators ask; nothing is connected yet."""
    kafka, topics = settings.kafka, settings.topics
    retries = retry_topics(topics, settings.service)
    dead_letters = KafkaDeadLetters(kafka, topics.dead_letter, make_codec(settings.schema, topics))

    def read_lag() -> Backlog:
        return make_lag(kafka, topics, retries, settings.schema).read(timeout_s=REQUEST_S)

    delays_s = dict(zip(retries, settings.service.retry_delays, strict=True))
    letters = Letters(dead_letters, (topics.requests, *retries))
    return Operating(read_lag, read_group, letters, topics.requests, delays_s)


def make_uploads(settings: Settings, store: ObjectStore, metrics: GatewayMetrics) -> Uploads | None:
    """What takes files, None where the store can't take them part by part. Raises SettingsError."""
    parts = make_part_store(store)
    if parts is None:
        return None
    uploads, job = settings.uploads, settings.job
    limits = UploadLimits(
        max_object_bytes=int(job.max_object_bytes),
        formats=job.allowed_formats,
        pace=Pace(idle_s=uploads.upload_idle_s, least_bytes_per_s=int(uploads.upload_min_bytes_per_s)),
        slots=Slots(uploads.http_max_uploads),
        received=metrics.uploaded,
    )
    return Uploads(store, parts, upload_bucket(settings), limits, expires_s=uploads.upload_expires_s)


def upload_bucket(settings: Settings) -> str:
    """Where files are put that come by HTTP."""
    return settings.client.upload_bucket or settings.job.allowed_source_buckets[0]


def event_ids(settings: Settings) -> EventIds:
    """By which a place in the log is named to clients."""
    topics, ids = settings.topics, TopicIds(settings.kafka)
    names = (topics.requests, topics.progress, topics.results, topics.dead_letter)
    found: dict[str, str] = {}
    for name in names:
        if (topic_id := _topic_id(ids, name)) is None:
            # Some brokers have no such ids, and those that are away are found out by whoever reads.
            return EventIds(dict.fromkeys(names, ""))
        found[name] = topic_id
    return EventIds(found)


def _topic_id(ids: TopicIds, topic: str) -> str | None:
    """None where nobody answers: then others are not asked for, which takes as long for each."""
    for _ in range(_ASK_IDS):
        with suppress(BrokerUnavailable):
            return ids.now(topic)
    return None

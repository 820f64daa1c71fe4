"""Makes a gateway of its settings, and runs it."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import structlog

from consumer.adapters.factories import make_codec, make_store
from consumer.adapters.kafka.topic_ids import TopicIds
from consumer.app.signals import handled
from consumer.client.decoding import EventDecoder
from consumer.client.reader import Begin, TopicReader
from consumer.client.sender import Sender
from consumer.core.errors import BrokerUnavailable, Fatal, Transient
from consumer.core.log_events import LogEvent
from consumer.core.ports import Check, ObjectStore
from consumer.gateway.access.authenticator import make_authenticator
from consumer.gateway.app import make_app
from consumer.gateway.events.resume import Log
from consumer.gateway.events.room import StreamRoom
from consumer.gateway.events.streams import EventStreams
from consumer.gateway.events.vector import EventIds
from consumer.gateway.finding import Finder
from consumer.gateway.index.causal_order import CausalOrder
from consumer.gateway.index.ends import TopicEnds
from consumer.gateway.index.follower import IndexFollower
from consumer.gateway.index.interpret import Interpreter, kinds_of
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from consumer.gateway.metrics import GatewayMetrics
from consumer.gateway.probes import make_health
from consumer.gateway.publishing import Publisher
from consumer.gateway.rate_limit import RateLimiter, RatePolicy
from consumer.gateway.requests import SourceRules
from consumer.gateway.sending import Submission
from consumer.gateway.server import GatewayServer
from consumer.gateway.services import Services
from consumer.gateway.settings import Settings
from consumer.observability.site import Site
from consumer.pipeline.stages.validate import Validate

REQUEST_S = 10.0  # within which brokers answer
_ASK_IDS = 3  # times


def run_gateway(settings: Settings) -> None:
    """Serve until a signal says to stop. Raises Fatal, SettingsError, BrokerUnavailable at the start."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="separation-index-", dir=settings.gateway.index_dir))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        table, progress = JobTable(folder), ProgressBook()
        stack.callback(table.close)
        authenticator = make_authenticator(settings.access)
        store = make_store()
        codec = make_codec(settings.schema, settings.topics)
        ends = TopicEnds(settings.kafka, settings.topics.requests)
        stack.callback(ends.close)
        sender = Sender(settings.kafka, request_s=REQUEST_S)
        stack.callback(sender.close, REQUEST_S)
        index = JobIndex(table, progress, ends)
        follower = make_follower(settings, table, progress, index, ends)
        all_ends = TopicEnds(settings.kafka, *kinds_of(settings.topics))
        stack.callback(all_ends.close)
        log = Log(ids=_event_ids(settings), begins=lambda: follower.begins, ends=all_ends)
        services = make_services(settings, index, store, Publisher(sender, codec, settings.topics), log)
        metrics = GatewayMetrics()
        health = make_health(follower, _dependencies(settings, store, ends), keys=authenticator.why_not_ready)
        limiter = RateLimiter(
            RatePolicy(requests_per_s=settings.access.rate_limit_requests_per_s, burst=settings.access.rate_limit_burst)
        )
        app = make_app(services, authenticator, limiter, report=metrics.answered)
        server = GatewayServer(
            app,
            Site(health, metrics.registry),
            host=settings.service.http_host,
            port=settings.service.http_port,
            clients=settings.gateway.http_max_clients,
            stop_s=settings.service.shutdown_grace_s,
        )
        metrics.watch(
            connections=lambda: server.connections,
            streams=lambda: len(services.streams),
            jobs=lambda: follower.jobs,
            lag=partial(_index_lag, index, ends),
        )
        follower.start()
        stack.callback(follower.stop)
        await authenticator.start()
        stack.push_async_callback(authenticator.close)
        await _serve(server, follower, services.streams)


async def _serve(server: GatewayServer, follower: IndexFollower, streams: EventStreams) -> None:
    log, begun = structlog.get_logger(), time.monotonic()
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(*_: object) -> None:
        loop.call_soon_threadsafe(stopping.set)

    with handled(stop):
        log.info(LogEvent.GATEWAY_STARTED, port=server.port)
        serving = asyncio.create_task(server.serve())
        watching = asyncio.create_task(_watch(follower, begun))
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait((serving, watching, told), return_when=asyncio.FIRST_COMPLETED)
        streams.close()
        server.stop()
        await serving
        for task in (watching, told):
            task.cancel()
    if follower.is_broken:
        raise Fatal(follower.trouble)
    log.info(LogEvent.GATEWAY_STOPPED)


async def _watch(follower: IndexFollower, begun: float) -> None:
    """Ends where the index can't be kept any more."""
    is_told = False
    while not follower.is_broken:
        if follower.has_caught_up and not is_told:
            is_told = True
            structlog.get_logger().info(LogEvent.GATEWAY_CAUGHT_UP, seconds=round(time.monotonic() - begun, 3))
        await asyncio.sleep(0.1)


def make_follower(
    settings: Settings, table: JobTable, progress: ProgressBook, index: JobIndex, ends: TopicEnds
) -> IndexFollower:
    """With a codec of its own: it decodes in another thread. Raises BrokerUnavailable."""
    codec, kinds = make_codec(settings.schema, settings.topics), kinds_of(settings.topics)
    reader = TopicReader(settings.kafka, list(kinds), begin=Begin.BEGINNING, request_s=REQUEST_S)
    return IndexFollower(
        reader,
        Interpreter(codec, EventDecoder(codec, kinds)),
        table,
        IndexWriter(table, progress, requests_topic=settings.topics.requests),
        order=CausalOrder((settings.topics.requests, settings.topics.progress), table.is_known_own, ends),
        on_batch=index.note,
    )


def make_services(settings: Settings, index: JobIndex, store: ObjectStore, publisher: Publisher, log: Log) -> Services:
    """What the routes use."""
    job = settings.job
    finder = Finder(index, store, output_bucket=job.output_bucket, output_prefix=job.output_prefix)
    upload_bucket = settings.client.upload_bucket or job.allowed_source_buckets[0]
    validate = Validate(
        source_buckets=job.allowed_source_buckets,
        output_bucket=job.output_bucket,
        output_prefix=job.output_prefix,
        further_output_buckets=job.allowed_output_buckets,
    )
    room = StreamRoom(most=settings.gateway.http_max_streams, most_of_one=settings.access.max_streams)
    return Services(
        index=index,
        finder=finder,
        submission=Submission(validate, finder, index, publisher, most_in_flight=settings.access.max_jobs_in_flight),
        streams=EventStreams(index, finder, log, room),
        sources=SourceRules(source_buckets=job.allowed_source_buckets, upload_bucket=upload_bucket),
        store=store,
        jobs=job,
    )


def _event_ids(settings: Settings) -> EventIds:
    topics = settings.topics
    ids = TopicIds(settings.kafka)
    return EventIds({
        name: _topic_id(ids, name) for name in (topics.requests, topics.progress, topics.results, topics.dead_letter)
    })  # fmt: skip


def _topic_id(ids: TopicIds, topic: str) -> str:
    for _ in range(_ASK_IDS):
        with suppress(BrokerUnavailable):
            return ids.now(topic)
    return ""  # some brokers have no such ids, and those that are away are found out by whoever reads


def _dependencies(settings: Settings, store: ObjectStore, ends: TopicEnds) -> Mapping[str, Check]:
    def kafka() -> None:
        try:
            ends()
        except BrokerUnavailable as error:
            raise Transient(str(error)) from error

    return {"kafka": kafka, "object_store": lambda: store.check(settings.job.output_bucket)}


def _index_lag(index: JobIndex, ends: TopicEnds) -> float:
    try:
        return float(sum(max(0, end - index.positions.get(place, 0)) for place, end in ends().items()))
    except BrokerUnavailable:
        return float("nan")

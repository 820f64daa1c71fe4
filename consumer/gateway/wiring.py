"""Makes a gateway of its settings, and runs it."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import structlog

from consumer.adapters.factories import make_codec, make_store
from consumer.adapters.kafka.audit import KafkaAuditLog
from consumer.app.audit import make_audit_log
from consumer.app.signals import handled
from consumer.app.tracing import make_tracer
from consumer.client.sender import Sender
from consumer.core.errors import AuditUnavailable, BrokerUnavailable, Fatal, Transient
from consumer.core.log_events import LogEvent
from consumer.core.ports import Check, ObjectStore
from consumer.gateway.access.authenticator import make_authenticator
from consumer.gateway.app import make_app
from consumer.gateway.events.resume import Log
from consumer.gateway.forgotten import ForgottenWatch
from consumer.gateway.history.keeping import keep_sampled
from consumer.gateway.history.outcomes import OutcomeCount
from consumer.gateway.index.ends import TopicEnds
from consumer.gateway.index.follower import IndexFollower
from consumer.gateway.index.interpret import kinds_of
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.index.pruning import keep_pruned
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import ProgressBook
from consumer.gateway.metrics import GatewayMetrics
from consumer.gateway.outlook.outlook import Outlook
from consumer.gateway.parts import REQUEST_S, event_ids, make_follower, make_services, make_uploads, make_watch
from consumer.gateway.probes import make_health
from consumer.gateway.publishing import Publisher
from consumer.gateway.rate_limit import RateLimiter, RatePolicy
from consumer.gateway.server import GatewayServer
from consumer.gateway.services import Services
from consumer.gateway.settings import Settings
from consumer.gateway.trail import Trail
from consumer.observability.site import Site


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
        outlook = Outlook(longest_audio_s=settings.job.max_audio_seconds)
        index = JobIndex(table, progress, ends, outlook=outlook)
        follower = make_follower(settings, table, progress, index, ends)
        all_ends = TopicEnds(settings.kafka, *kinds_of(settings.topics))
        stack.callback(all_ends.close)
        log = Log(ids=event_ids(settings), begins=lambda: follower.begins, ends=all_ends)
        metrics = GatewayMetrics()
        watch = make_watch(settings, store, follower.forget)
        uploads = make_uploads(settings, store, metrics)
        if uploads:
            stack.push_async_callback(uploads.close)
        audit = make_audit_log(
            settings.kafka, settings.topics, settings.schema, settings.audit, on_lost=metrics.audit_lost
        )
        stack.callback(audit.close)
        trail = Trail(audit, settings.service.instance_id)
        publisher = Publisher(sender, codec, settings.topics)
        services = make_services(settings, index, store, publisher, log, uploads, trail, follower.forget)
        dependencies: dict[str, Check] = {
            **_dependencies(settings, store, ends, watch), "audit": partial(_check_audit, audit)
        }  # fmt: skip
        health = make_health(follower, dependencies, keys=authenticator.why_not_ready)
        limiter = RateLimiter(
            RatePolicy(requests_per_s=settings.access.rate_limit_requests_per_s, burst=settings.access.rate_limit_burst)
        )
        tracer = make_tracer(
            settings.tracing, group_id=settings.kafka.group_id, instance_id=settings.service.instance_id
        )
        stack.callback(tracer.close)
        app = make_app(services, authenticator, limiter, report=metrics.answered, tracer=tracer)
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
            lag=lambda: follower.unread,
        )
        if watch:  # before anything is read that was forgotten
            await asyncio.to_thread(watch.start)
            stack.push_async_callback(asyncio.to_thread, watch.stop)
        follower.start()
        stack.callback(follower.stop)
        await authenticator.start()
        stack.push_async_callback(authenticator.close)
        pruning = asyncio.create_task(keep_pruned(all_ends.begins, follower.note_begins))
        stack.callback(pruning.cancel)
        sampling = asyncio.create_task(keep_sampled(services.operating.sample))
        stack.callback(sampling.cancel)
        await _serve(server, follower, services)


async def _serve(server: GatewayServer, follower: IndexFollower, services: Services) -> None:
    log, begun = structlog.get_logger(), time.monotonic()
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(*_: object) -> None:
        loop.call_soon_threadsafe(stopping.set)

    with handled(stop):
        log.info(LogEvent.GATEWAY_STARTED, port=server.port)
        serving = asyncio.create_task(server.serve())
        watching = asyncio.create_task(_watch(follower, services.index.outcomes, begun))
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait((serving, watching, told), return_when=asyncio.FIRST_COMPLETED)
        services.streams.close()
        server.stop()
        await serving
        for task in (watching, told):
            task.cancel()
    if follower.is_broken:
        raise Fatal(follower.trouble)
    log.info(LogEvent.GATEWAY_STOPPED)


async def _watch(follower: IndexFollower, outcomes: OutcomeCount, begun: float) -> None:
    """Ends where the index can't be kept any more."""
    is_told = False
    while not follower.is_broken:
        if follower.has_caught_up and not is_told:
            is_told = outcomes.has_read_all = True
            structlog.get_logger().info(LogEvent.GATEWAY_CAUGHT_UP, seconds=round(time.monotonic() - begun, 3))
        await asyncio.sleep(0.1)


def _dependencies(
    settings: Settings, store: ObjectStore, ends: TopicEnds, watch: ForgottenWatch | None
) -> Mapping[str, Check]:
    def kafka() -> None:
        try:
            ends()
        except BrokerUnavailable as error:
            raise Transient(str(error)) from error

    def object_store() -> None:
        store.check(settings.job.output_bucket)
        if watch:
            watch.check()

    return {"kafka": kafka, "object_store": object_store}


def _check_audit(audit: KafkaAuditLog) -> None:
    """Raises Transient where events have to be written and can't be."""
    try:
        audit.check()
    except AuditUnavailable as error:
        raise Transient(str(error)) from error

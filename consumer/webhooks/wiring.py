"""Makes what delivers webhooks of its settings, and runs it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Self, get_type_hints

import structlog

from consumer.adapters.factories import make_codec
from consumer.adapters.kafka.endpoint_group import EndpointGroup, GroupListener
from consumer.app.lag_exporter import told_to_stop
from consumer.core.errors import SettingsError
from consumer.core.log_events import LogEvent
from consumer.observability.http import ProbeServer
from consumer.settings import KafkaSettings, SchemaSettings, ServiceSettings, TopicSettings, WebhookSettings
from consumer.webhooks.addresses import AddressWall
from consumer.webhooks.endpoints import FollowedEndpoints
from consumer.webhooks.metrics import WebhookMetrics
from consumer.webhooks.notices import NoticeMaker, kinds_of
from consumer.webhooks.policy import RetryPolicy
from consumer.webhooks.sending import Outcome, Sender, SendLimits
from consumer.webhooks.service import WebhookService
from consumer.webhooks.worker import Tools

_LOOK_EVERY_S = 0.5
_CLOSE_S = 15.0  # to commit and to leave the groups, beside the grace for what is under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that `webhooks` needs."""

    kafka: KafkaSettings
    topics: TopicSettings
    schema: SchemaSettings
    service: ServiceSettings
    webhooks: WebhookSettings

    @classmethod
    def load(cls) -> Self:
        """From the environment. Raises SettingsError."""
        return cls(**{name: group.load() for name, group in get_type_hints(cls).items()})


def run_webhooks(settings: Settings) -> None:
    """Deliver until a signal says to stop. Raises Fatal and SettingsError at the start."""
    webhooks, log = settings.webhooks, structlog.get_logger()
    if webhooks.webhooks_file is None:
        raise SettingsError("WEBHOOKS_FILE must be set", variables=("WEBHOOKS_FILE",))
    endpoints = FollowedEndpoints(webhooks.webhooks_file, allow_http=webhooks.webhooks_allow_http)
    with ExitStack() as stack:
        stopped = stack.enter_context(told_to_stop())
        limits = SendLimits(connect_s=webhooks.webhooks_connect_timeout_s, total_s=webhooks.webhooks_timeout_s)
        sender = Sender(AddressWall(webhooks.webhooks_allowed_networks), limits)
        stack.callback(sender.close)
        metrics = WebhookMetrics(lambda: service.oldest_s())
        tools = _tools(settings, sender, metrics.count)
        service = WebhookService(endpoints, tools, grace_s=min(limits.total_s, settings.service.shutdown_grace_s))
        server = ProbeServer(settings.service.http_host, settings.service.http_port, service.health, metrics.registry)
        stack.callback(server.close)
        stack.callback(service.close, limits.total_s + _CLOSE_S)
        log.info(LogEvent.WEBHOOKS_STARTED, port=server.port, endpoints=len(endpoints.now()))
        service.follow()
        while not stopped.wait(_LOOK_EVERY_S):
            service.follow()
    log.info(LogEvent.WEBHOOKS_STOPPED)


def _tools(settings: Settings, sender: Sender, count: Callable[[Outcome], None]) -> Tools:
    codec = make_codec(settings.schema, settings.topics)
    return Tools(
        group=partial(_group, settings),
        notices=lambda: NoticeMaker(codec, settings.topics),
        sender=sender,
        policy=RetryPolicy(
            first_wait_s=settings.webhooks.webhooks_first_wait_s,
            longest_wait_s=settings.webhooks.webhooks_longest_wait_s,
            give_up_after_s=settings.webhooks.webhooks_give_up_after_s,
        ),
        count=count,
    )


def _group(settings: Settings, endpoint_id: str, listener: GroupListener) -> EndpointGroup:
    group_id = f"{settings.kafka.group_id}-webhooks-{endpoint_id}"
    return EndpointGroup(settings.kafka, group_id, tuple(kinds_of(settings.topics)), listener)

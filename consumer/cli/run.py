"""`run`: the consumer."""

import os
import sys
from contextlib import suppress


def run() -> None:
    """Consume separation requests until told to stop. Settings come from the environment; see docs/settings.md."""
    from consumer.app.signals import stopped_by_signals
    from consumer.app.vendors import make_adapters
    from consumer.app.wiring import make_replica
    from consumer.core.version import VERSION
    from consumer.observability import logging as logs
    from consumer.settings import LogSettings, MetricsSettings, Settings

    log, settings = LogSettings.load(), Settings.load()
    MetricsSettings.load()
    logs.configure(log.level, log.format, instance_id=settings.service.instance_id, version=VERSION)
    replica = make_replica(settings, make_adapters(settings))
    with stopped_by_signals(replica):
        replica.run()
    # Everything is closed; what a client library still does in the background must not keep the process.
    with suppress(OSError):  # of a log that is full
        sys.stderr.flush()
    os._exit(0)

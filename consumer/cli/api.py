"""`api`: the HTTP gateway."""


def api() -> None:
    """Serve the HTTP API until told to stop. Settings come from the environment; see docs/settings.md."""
    from consumer.core.version import VERSION
    from consumer.gateway.settings import Settings
    from consumer.gateway.wiring import run_gateway
    from consumer.observability import logging as logs
    from consumer.settings import LogSettings, MetricsSettings

    log, settings = LogSettings.load(), Settings.load()
    MetricsSettings.load()
    logs.configure(log.level, log.format, instance_id=settings.service.instance_id, version=VERSION)
    run_gateway(settings)

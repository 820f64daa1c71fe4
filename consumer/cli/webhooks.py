"""`webhooks`: tells tenants' endpoints of outcomes."""


def webhooks() -> None:
    """Tell tenants' endpoints of outcomes until told to stop. Settings come from the environment."""
    from consumer.core.version import VERSION
    from consumer.observability import logging as logs
    from consumer.settings import LogSettings, MetricsSettings
    from consumer.webhooks.wiring import Settings, run_webhooks

    log, settings = LogSettings.load(), Settings.load()
    MetricsSettings.load()
    logs.configure(log.level, log.format, instance_id=settings.service.instance_id, version=VERSION)
    run_webhooks(settings)

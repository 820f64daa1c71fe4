"""`python -m bench.scaling.worker`: the service's own replica with the bench's separator, on a host named POD_NAME."""

import os
import socket
import sys

# In a pod the host has the pod's name, which is the replica's id while INSTANCE_ID is not set; here all share a host.
socket.gethostname = lambda: os.environ["POD_NAME"]

from consumer.app.signals import stopped_by_signals  # noqa: E402 - settings ask for the host's name when imported
from consumer.app.vendors import make_adapters  # noqa: E402
from consumer.app.wiring import make_replica  # noqa: E402
from consumer.core.version import VERSION  # noqa: E402
from consumer.observability import logging as logs  # noqa: E402
from consumer.settings import LogSettings, Settings  # noqa: E402

if __name__ == "__main__":
    log, settings = LogSettings.load(), Settings.load()
    logs.configure(log.level, log.format, instance_id=settings.service.instance_id, version=VERSION)
    # Of this process's environment a separator is given nothing of ours.
    asked = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("BENCH_")]
    separator = ("/usr/bin/env", *asked, sys.executable, "-m", "bench.scaling.separator")
    adapters = make_adapters(settings, separator_command=separator)
    replica = make_replica(settings, adapters)
    with stopped_by_signals(replica):
        replica.run()
    os._exit(0)

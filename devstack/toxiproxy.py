"""A proxy that makes connections slow, cuts them, or lets nothing through; told what to do over HTTP."""

from pathlib import Path

from devstack import build
from devstack.asking import is_well
from devstack.service import Service


def toxiproxy(folder: Path, port: int) -> Service:
    """A server without proxies yet; port is where it is told what to do."""
    return Service(
        name="Toxiproxy",
        command=[str(build.toxiproxy_binary()), "-host", "127.0.0.1", "-port", str(port)],
        folder=folder,
        is_ready=lambda: is_well(f"http://127.0.0.1:{port}/version"),
    )

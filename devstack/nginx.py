"""One nginx, with a configuration of `deploy/` in its http block."""

import os
import socket
from pathlib import Path

from devstack import system
from devstack.service import Service

_CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log stderr;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/included.conf;
}}
"""


def nginx(folder: Path, port: int, included: str) -> Service:
    """A server on port that `included` listens at."""
    system.provide({"nginx": "nginx-light"})
    folder.mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""  # tests' folders are for who runs them alone
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, user=user))
    (folder / "included.conf").write_text(included)
    return Service(
        name="nginx",
        command=["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")],
        folder=folder,
        is_ready=lambda: _answers(port),
    )


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False

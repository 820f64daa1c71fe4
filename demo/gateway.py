"""The HTTP gateway beside the demonstration's consumer, and a line to try it with."""

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from devstack.service import free_port

_START_S = 60.0
_WAIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGateway:
    """A gateway that was started. key: for X-API-KEY."""

    url: str
    key: str
    process: "subprocess.Popen[bytes]"
    log_path: Path

    def await_ready(self) -> None:
        """Raises SystemExit with the end of its log where it does not get ready."""
        deadline = time.monotonic() + _START_S
        with httpx2.Client(base_url=self.url, timeout=2) as http:  # one: each reads all certificates that there are
            while not _is_ready(http):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the gateway did not start:\n{self.log_path.read_text()[-2000:]}")
                time.sleep(0.1)

    @property
    def page(self) -> str:
        """An address that opens the page, and signs in."""
        return f"{self.url}/#key={self.key}"

    def curl(self, bucket: str, object_key: str) -> str:
        """A line for a shell that asks for the stems of an object, and waits for them."""
        body = f'{{"source": {{"bucket": "{bucket}", "key": "{object_key}"}}}}'
        headers = f"-H 'X-API-KEY: {self.key}' -H 'Content-Type: application/json' -H 'Prefer: wait={_WAIT_S}'"
        return f"curl -sS {self.url}/v1/separations {headers} -d '{body}'"


@contextmanager
def gateway(environment: Mapping[str, str], log_path: Path) -> Iterator[DemoGateway]:
    """A gateway that is starting, with a key that is made here; its log goes to `log_path`."""
    port, key = free_port(), f"demo-{secrets.token_hex(12)}"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.api", "api"],
            env={**environment, "HTTP_PORT": str(port), "SPLEETER_API_KEY": key, "INSTANCE_ID": "demo-gateway"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield DemoGateway(url=f"http://127.0.0.1:{port}", key=key, process=process, log_path=log_path)
        finally:
            process.terminate()
            process.wait(60)


def _is_ready(http: httpx2.Client) -> bool:
    try:
        return http.get("/ready").is_success
    except httpx2.HTTPError:
        return False

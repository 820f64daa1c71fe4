"""The OpenAPI document against the running gateway, by a program that knows nothing else."""

import os
import subprocess
import sys
from pathlib import Path

from harness.gateway import KEY, gateway
from harness.platform import Platform

# In the order of the document each operation gets so many calls of each kind: enough for each rule of its schema.
CALLS = "4"
_LIMIT_S = 500
# What was deleted is a job that is cancelled, and is still there; a source that fits the schema need not exist.
NOT_OURS = "use_after_free,ensure_resource_availability,positive_data_acceptance"


def test_whatever_is_sent_is_answered_as_described(platform: Platform, tmp_path: Path) -> None:
    """Status, headers and bodies are described ones, what the description forbids is refused, and nothing is 500."""
    with gateway(platform, RATE_LIMIT_REQUESTS_PER_S="100000", RATE_LIMIT_BURST="100000") as door:
        ran = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{door.url}/openapi.json"),
                *("--header", f"X-API-KEY: {KEY}", "--checks", "all", "--exclude-checks", NOT_OURS),
                *("--max-examples", CALLS, "--seed", "1", "--no-color"),
            ],
            env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]

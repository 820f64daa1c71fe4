"""Names the wheel by what lies in it, for hatchling."""

import json
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelTag(BuildHookInterface):  # type: ignore[type-arg,misc,unused-ignore]
    """A program needs no Python of its own, but a processor, and a glibc that is not older than its own baseline."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Refuses where `make ffmpeg` was not run."""
        kept = Path(self.root, "src/spleeter_ffmpeg/made.json")
        if not kept.exists():
            raise SystemExit("there is no ffmpeg to be packed: `make ffmpeg` builds it")
        architecture = json.loads(kept.read_text())["architecture"]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_28_{architecture}"

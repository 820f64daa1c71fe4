"""What separates: models, runtime, processes, scratch space."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_settings import NoDecode

from consumer.core.catalog import MODELS
from consumer.core.model_digests import parse_model_digests
from consumer.core.runtimes import RuntimeChoice
from consumer.settings.variables import Group, Strings


def _parse_digests(value: Any) -> Any:
    return parse_model_digests(value) if isinstance(value, str) else value


class SeparatorSettings(Group):
    """What separates, with which models, and where."""

    model_path: Path = Field(
        default=Path("pretrained_models"),
        description=f"folder that holds {', '.join(f'`{folder}/`' for folder in dict.fromkeys(MODELS.values()))}",
    )
    models: Strings = Field(default=("2stems",), description="models that must be loadable before work begins")
    model_sources: Strings = Field(
        default=("https://github.com/deezer/spleeter/releases/download/v1.4.0",),
        description="where a missing model is fetched from, in this order: release URLs, `s3://bucket/prefix`; `none`",
    )
    model_sha256: Annotated[Mapping[str, str], NoDecode, BeforeValidator(_parse_digests)] = Field(
        default={},
        description="digests that the weights must have, as `models list` prints them: `2stems=...`, by commas",
    )
    scratch_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()), description="where tracks lie while they are worked on"
    )
    scratch_max_bytes: ByteSize | None = Field(
        default=None, ge=1, description="what may lie there at most, such as a volume's limit; unset: all of its disk"
    )
    separator_processes: int = Field(default=1, ge=1, le=64, description="separators a replica")
    separator_runtime: RuntimeChoice = Field(
        default=RuntimeChoice.AUTO,
        description="what computes the networks: `native`, `openvino`, `tensorflow`, or `auto` for the first of these"
        " that is installed and fits the models",
    )
    sandbox_required: bool = Field(
        default=False,
        description="end where the kernel has no Landlock or no seccomp; true in the images",
    )
    ffmpeg_path: str | None = Field(
        default=None,
        description="ffmpeg to use; unset: that of spleeter-ffmpeg or else of imageio-ffmpeg, whichever is installed,"
        " or else the one on PATH",
    )

"""A model's checkpoint on disk: which files it consists of, and the digest that it is known by."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from consumer.core.errors import Code, Rejected

# What the native runtime maps instead of a checkpoint, beside it and called as it.
CONVERSION_ENDING = ".native.safetensors"

_MOST_STATE = 4096  # characters of a state file's first line


def checkpoint_files(model: str, folder: Path) -> tuple[str, list[Path]]:
    """The path of the checkpoint in this folder without its endings, as TensorFlow wants it, and its files: the index,
    then the data.

    model: whose it is, for the message. Raises Rejected(MODEL_UNAVAILABLE) where there is none.
    """
    state = folder / "checkpoint"
    prefix = "model"
    if state.is_file():
        with state.open(errors="replace") as text:
            first = text.readline(_MOST_STATE)
        prefix = first.partition('"')[2].rpartition('"')[0] or prefix
    path = folder / Path(prefix).name
    files = [Path(f"{path}.index"), *sorted(folder.glob(f"{path.name}.data-*"))]
    if not files[0].is_file() or len(files) < 2:
        raise unavailable(model, f"no checkpoint in {folder.name}/ under MODEL_PATH")
    return str(path), files


def weights_sha256(files: list[Path]) -> str:
    """Digest of a checkpoint: its index and data files one after the other, lower-case hex."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def checkpoint_sha256(model: str, folder: Path) -> str:
    """Digest of the checkpoint in this folder. model: whose it is, for the message.

    Raises Rejected(MODEL_UNAVAILABLE) where there is none, OSError where it can't be read.
    """
    return weights_sha256(checkpoint_files(model, folder)[1])


def require_named_weights(model: str, folder: Path, wanted: Mapping[str, str]) -> None:
    """Raise Rejected(MODEL_UNAVAILABLE) where MODEL_SHA256 names other weights than those in this folder.

    model, wanted: as of `refuse_other_weights`. What it does not name is not read.
    """
    if folder.name in wanted:
        refuse_other_weights(model, folder.name, checkpoint_sha256(model, folder), wanted)


def refuse_other_weights(model: str, folder: str, digest: str, wanted: Mapping[str, str]) -> None:
    """Raise Rejected(MODEL_UNAVAILABLE) where MODEL_SHA256 names another digest than this for the model's folder.

    model: whose it is, for the message. wanted: folder -> digest of its checkpoint; one that is not in it may be any.
    """
    if wanted.get(folder, digest) != digest:
        raise unavailable(model, f"its checkpoint has the digest {digest}, which is not the one in MODEL_SHA256")


def unavailable(name: str, why: str) -> Rejected:
    """What a job, or a replica's start, is refused with that needs this model."""
    return Rejected(Code.MODEL_UNAVAILABLE, f"model {name}: {why}")

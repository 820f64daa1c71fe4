"""What is known to differ, from differences.toml: which decoder, of which files, in what, and why."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_LIST = Path(__file__).with_name("differences.toml")
KINDS = ("refused", "length", "start", "end", "channels", "noise", "title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """files: names of specimens, with * for any part. decoder: `ours`, or another of harness.corpus.decoders. kinds: of
    KINDS. right: who is right. why: in a sentence or two. code: what `ours` refuses the file with.
    """

    files: Sequence[str]
    decoder: str
    kinds: Sequence[str]
    right: str
    why: str
    code: str | None = None

    def is_of(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.files)


def listed() -> list[Difference]:
    """All of them, in their order."""
    return [Difference(**entry) for entry in tomllib.loads(_LIST.read_text())["difference"]]


def kind(told: str) -> str:
    """Which of KINDS a sentence of harness.corpus.trial is about."""
    return told.partition(":")[0]

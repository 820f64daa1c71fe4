"""The keys by which the service knows what it wrote into the store, and what becomes of what bears none."""

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, model_validator

from consumer.core.errors import SettingsError
from consumer.core.seal import UNSEALED, Seal
from consumer.settings.key_list import KeyRule
from consumer.settings.secret_files import SecretFile
from consumer.settings.variables import Group, WrongVariable

_KEYS = KeyRule(shortest=32, longest=512, characters="[!-~]")


class Unsigned(StrEnum):
    """What is done with what lies where the service writes, without its signature."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class SealingSettings(Group):
    """Part of what all commands need that read or write what is kept of requests in the store."""

    secret_fields: ClassVar[tuple[str, ...]] = ("manifest_key",)

    manifest_key: SecretStr | None = Field(
        default=None,
        description=f"by which manifests, index entries and tombstones are signed, of {_KEYS.shortest} characters or "
        "more; several with commas between: the first signs, each is accepted; unset: nothing is signed",
    )
    manifest_key_file: Path | None = Field(
        default=None, description="a file that holds these keys, instead; followed when it changes"
    )
    manifest_unsigned: Unsigned = Field(
        default=Unsigned.REFUSE,
        description="with a key: whether what bears no signature is believed, `accept`, or not, `refuse`; never what "
        "bears a wrong one",
    )

    @model_validator(mode="after")
    def _holds_keys(self) -> "SealingSettings":
        if self.manifest_key:
            try:
                _keys("MANIFEST_KEY", self.manifest_key.get_secret_value())
            except SettingsError as error:
                raise WrongVariable("MANIFEST_KEY", str(error).removeprefix("MANIFEST_KEY: ")) from None
        return self

    def seal(self) -> Seal:
        """What signs, and knows what was signed. Raises SettingsError where the file can't be used from the start."""
        accepts = self.manifest_unsigned is Unsigned.ACCEPT
        if self.manifest_key_file:
            return Seal(keys=_followed(self.manifest_key_file), accepts_unsealed=accepts)
        if self.manifest_key:
            keys = _keys("MANIFEST_KEY", self.manifest_key.get_secret_value())
            return Seal(keys=lambda: keys, accepts_unsealed=accepts)
        return UNSEALED


def _followed(path: Path) -> Callable[[], tuple[bytes, ...]]:
    """The keys in the file as it is now; those that it last held while it holds none that can be used."""
    file = SecretFile("MANIFEST_KEY_FILE", path)
    last = _keys("MANIFEST_KEY_FILE", file.read())

    def now() -> tuple[bytes, ...]:
        nonlocal last
        with suppress(SettingsError):
            last = _keys("MANIFEST_KEY_FILE", file.read())
        return last

    return now


def _keys(variable: str, text: str) -> tuple[bytes, ...]:
    return tuple(key.encode() for key in _KEYS.parse(variable, text))

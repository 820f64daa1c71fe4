"""How a variable becomes a value: durations, addresses, lists, and groups that name the variable that is wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from consumer.core.errors import SettingsError

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration_s(text: str) -> float:
    """Seconds of '250ms', '10s', '1m', '2h', '1d' or a bare number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if not match:
        raise ValueError(f"not a duration such as 10s, 1m or 2h: {text!r}")
    return float(match[1]) * _UNIT_S[match[2] or "s"]


def parse_place(text: str) -> tuple[str, int] | Path:
    """Where a server listens: host and port, or a unix socket's path, which begins with a slash."""
    if text.startswith("/"):
        return Path(text)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", text)
    if not match or not 0 < int(match[3]) <= 65535:
        raise ValueError(f"must be host:port or a unix socket's path, not {text!r}")
    return match[1] or match[2], int(match[3])


def check_endpoint(text: str) -> None:
    """A host, with or without a port. What is wrong is told without the text, which may hold a password."""
    if "/" in text or "@" in text or not _is_address(f"//{text}"):
        raise ValueError("must be host:port without a scheme or path, its port from 1 to 65535")


def check_url(text: str) -> None:
    """An address on the web. What is wrong is told without the text, which may hold a password."""
    if not re.match(r"https?://", text) or not _is_address(text):
        raise ValueError("must begin with http:// or https:// and a host, as in http://host:8081")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:  # its words may hold what we keep to ourselves
        return False


def split(convert: Callable[[str], Any]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(convert(part.strip()) for part in value.split(",") if part.strip())

    return parse


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split(str))]
DurationsS = Annotated[tuple[float, ...], NoDecode, BeforeValidator(split(parse_duration_s))]
DurationS = Annotated[float, BeforeValidator(lambda v: parse_duration_s(v) if isinstance(v, str) else v)]


def config(env_prefix: str = "") -> SettingsConfigDict:
    # Names such as model_path are ours, not pydantic's.
    return SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", protected_namespaces=(), env_prefix=env_prefix
    )


class Group(BaseSettings):
    model_config = config()

    @classmethod
    def load(cls) -> Self:
        """Read this group from the environment. Raises SettingsError."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError("; ".join(_line(cls, e["loc"], e["type"], e["msg"]) for e in error.errors())) from None

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Each environment variable of this group and what it means."""
        prefix = cls.model_config.get("env_prefix", "")
        return {f"{prefix}{name}".upper(): field.description or "" for name, field in cls.model_fields.items()}


def _line(group: type[Group], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    name = f"{group.model_config.get('env_prefix', '')}{loc[0]}".upper() if loc else group.__name__
    if kind == "missing":
        return f"{name} must be set"
    said = message.removeprefix("Value error, ")
    return said if not loc else f"{name}: {said[:1].lower()}{said[1:]}"

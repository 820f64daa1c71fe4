"""How a variable becomes a value: durations, addresses, lists, and groups that name the variable that is wrong."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from consumer.core.errors import SettingsError
from consumer.settings.secret_files import SecretFile

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
    """A host, with or without a port. The error leaves out the text, which may hold a password."""
    if "/" in text or "@" in text or not _is_address(f"//{text}"):
        raise ValueError("must be host:port without a scheme or path, its port from 1 to 65535")


def check_url(text: str) -> None:
    """An address on the web. The error leaves out the text, which may hold a password."""
    if not re.match(r"https?://", text) or not _is_address(text):
        raise ValueError("must begin with http:// or https:// and a host, as in http://host:8081")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:  # its message may hold the text
        return False


def split(convert: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A validator that makes a tuple of text such as `a, b`, each part converted; empty parts are left out."""

    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(convert(part.strip()) for part in value.split(",") if part.strip())

    return parse


Strings = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split(str))]
DurationsS = Annotated[tuple[float, ...], NoDecode, BeforeValidator(split(parse_duration_s))]
DurationS = Annotated[float, BeforeValidator(lambda v: parse_duration_s(v) if isinstance(v, str) else v)]


def config(env_prefix: str = "") -> SettingsConfigDict:
    """How a group is read, its variables all beginning with `env_prefix`."""
    # Without this pydantic would take names such as model_path for its own.
    return SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", protected_namespaces=(), env_prefix=env_prefix
    )


class Group(BaseSettings):
    """Settings that belong together, each read from one environment variable; frozen once they are loaded."""

    model_config = config()

    secret_fields: ClassVar[tuple[str, ...]] = ()
    """Those that hold a secret. Each has a `<field>_file` beside it, for a file that holds it instead."""

    @model_validator(mode="before")
    @classmethod
    def _secrets_in_one_way_each(cls, values: Any) -> Any:
        for name in cls.secret_fields:
            if values.get(name) and values.get(f"{name}_file"):  # nobody can know which of them is meant
                raise WrongVariable(cls.variable(f"{name}_file"), f"{cls.variable(name)} is set too")
        return values

    def secret(self, field: str) -> Callable[[], str] | None:
        """What gives one of `secret_fields` as it is now, wherever it lies; None where it is not set.

        Raises SettingsError, which names the variable and not what it holds, where its file can't be used.
        """
        if path := getattr(self, f"{field}_file"):
            read = SecretFile(self.variable(f"{field}_file"), path).read
            read()
            return read
        value = getattr(self, field)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return (lambda: text) if text else None

    @classmethod
    def load(cls) -> Self:
        """Read this group from the environment. Raises SettingsError."""
        try:
            return cls()
        except ValidationError as error:
            raise _settings_error(cls, error) from None

    @classmethod
    def load_usable(cls) -> tuple[Self, SettingsError | None]:
        """What can be read of this group, and what is wrong with the rest of it, None where nothing is.

        Whoever reads a setting that is wrong, or a property that rests on it, gets a SettingsError that names it.
        """
        wrong: dict[str, tuple[str, ...]] = {}  # field -> variables to blame
        problems: list[SettingsError] = []
        while True:
            try:
                return _without_fields(cls, wrong), SettingsError.of(problems)
            except ValidationError as error:
                problems.append(problem := _settings_error(cls, error))
                fields = [str(each["loc"][0]) for each in error.errors() if each["loc"]]
                wrong |= {name: (cls.variable(name),) for name in fields}
                if not fields:  # the group as a whole: none of it can be used
                    wrong = dict.fromkeys(cls.model_fields, problem.variables)

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Each environment variable of this group, and what it means."""
        return {cls.variable(name): field.description or "" for name, field in cls.model_fields.items()}

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of one of this group's fields."""
        return f"{cls.model_config.get('env_prefix', '')}{field}".upper()


class WrongVariable(ValueError):
    """What a validator of a whole group raises: the variable that is to blame, and why."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: {reason}")
        self.variable = variable


def _settings_error(group: type[Group], error: ValidationError) -> SettingsError:
    problems = error.errors()
    variables = [_blamed(group, each) for each in problems]
    lines = [_line(variable, each) for variable, each in zip(variables, problems, strict=True)]
    return SettingsError("; ".join(lines), variables=variables)


def _blamed(group: type[Group], problem: ErrorDetails) -> str:
    cause = problem.get("ctx", {}).get("error")
    return cause.variable if isinstance(cause, WrongVariable) else group.variable(str(problem["loc"][0]))


def _line(variable: str, problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return f"{variable} must be set"
    reason = problem["msg"].removeprefix("Value error, ")
    return f"{variable}: {reason[:1].lower()}{reason[1:]}" if problem["loc"] else reason


GroupT = TypeVar("GroupT", bound=Group)


def _without_fields(group: type[GroupT], wrong: Mapping[str, tuple[str, ...]]) -> GroupT:
    """The group from the environment, but for these fields: reading one of them raises SettingsError."""

    class Usable(group):  # type: ignore[valid-type, misc]
        def __getattr__(self, name: str) -> Any:  # called for what is not there
            if name in wrong:
                raise SettingsError(f"{', '.join(wrong[name])} can't be used", variables=wrong[name])
            return super().__getattr__(name)

    # No variable is called like this, so that what is wrong is not read; what is there instead is taken out again.
    nowhere = {name: (Any, Field(None, validate_default=False, validation_alias=f" {name}")) for name in wrong}
    create: Any = create_model  # whose overloads know no fields of computed names
    usable = create(group.__name__, __base__=Usable, **nowhere)
    loaded: GroupT = usable.model_construct() if len(wrong) == len(group.model_fields) else usable()
    for name in wrong:
        loaded.__dict__.pop(name, None)
    return loaded

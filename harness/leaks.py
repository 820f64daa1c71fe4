"""What no process may ever say: the secrets that it was given, and the keys of objects that it handled."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

_OF_A_SECRET = re.compile(r"SECRET|PASSWORD|TOKEN$|API_KEY|PASSPHRASE|_PEM$|HEADERS$|ACCESS_KEY")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_SHORTEST = 6  # what is shorter is found anywhere


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """The values of all variables that hold one, those in files and the passwords of addresses included."""
    found: set[str] = set()
    for name, value in environment.items():
        if name.endswith("_FILE") and _OF_A_SECRET.search(name.removesuffix("_FILE")):
            found.update(_lines(value))
        elif _OF_A_SECRET.search(name):
            found.update(re.split(r"[,\n]", value))
        if "://" in value:
            found.update(_passwords(value.split(",")))
    return {secret for each in found if len(secret := each.strip()) >= _SHORTEST}


def _lines(file: str) -> list[str]:
    """What a file of secrets holds; of JSON, which has names and tenants too, the digests."""
    path = Path(file)
    text = path.read_text(errors="replace") if path.is_file() else ""
    return _DIGEST.findall(text) if text.lstrip().startswith("{") else re.split(r"[,\n]", text)


def _passwords(urls: Iterable[str]) -> Iterable[str]:
    for url in urls:
        if password := urlsplit(url.strip()).password:
            yield password


def found_in(text: str, secrets: Collection[str], keys: Collection[str], prefix: str = "") -> list[str]:
    """Which of these it holds; a key only where it stands as a whole; of keys below `prefix` any."""
    words = sorted(key for key in keys if len(key) >= _SHORTEST)
    leaked = [secret for secret in sorted(secrets) if secret in text]
    if prefix:
        leaked += re.findall(rf"(?<![\w./-]){re.escape(prefix)}[\w-][^\s\"]*", text)
    return leaked + [key for key in words if re.search(rf"(?<![\w.-]){re.escape(key)}(?![\w-])", text)]

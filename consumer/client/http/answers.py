"""What the gateway's answers mean to whoever asked. Its own words alone are believed, whoever stands on the way."""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2

from consumer.adapters.network_errors import reason_of
from consumer.client.errors import AccessDenied, GatewayUnavailable, RequestRefused
from consumer.client.http.documents import Problem, parse
from consumer.core.errors import Code, ConsumerError

_PROBLEM = "application/problem+json"
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_DENIED = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked. path: below the gateway's address. file: is sent behind `json`, as multipart. within_s: how long
    the gateway may be silent, and take for its answer; None: as long as for most.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    json: dict[str, Any] | None = None
    file: Path | None = None
    within_s: float | None = None


def failure_of(answer: Answer, now: datetime) -> ConsumerError:
    """What to raise for an answer that is no success: AccessDenied, RequestRefused or GatewayUnavailable."""
    problem, status = _problem(answer), answer.status
    told = f": {problem.code}: {problem.detail}" if problem else ", not in its own words"
    if status in _DENIED and (problem is None or problem.code not in frozenset(Code)):
        return AccessDenied(f"the gateway refuses access ({status}{told})")
    if status in _PASSING or problem is None or status >= 500:
        return GatewayUnavailable(
            f"the gateway answered {status}{told}",
            may_pass=status in _PASSING,
            status=status,
            retry_after_s=retry_after_s(answer.headers, now),
        )
    fields = {each.get("pointer", ""): each.get("detail", "") for each in problem.errors}
    message = "; ".join([problem.detail, *(f"{pointer}: {detail}" for pointer, detail in fields.items())])
    return RequestRefused(problem.code, message, status=status, fields=fields)


def trouble_of(error: Exception) -> GatewayUnavailable:
    """Of a connection that could not be made, or broke. A certificate that is refused stays so."""
    refused = isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError)
    told = reason_of(error)
    may_pass = not (refused or "certificate verify failed" in told)
    return GatewayUnavailable(f"the gateway can't be reached ({told})", may_pass=may_pass)


def retry_after_s(headers: httpx2.Headers, now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or as a time; None where it asks for none."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _problem(answer: Answer) -> Problem | None:
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _PROBLEM:
        return None
    try:
        return parse(answer.body, Problem)
    except GatewayUnavailable:
        return None

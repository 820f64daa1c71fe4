"""Where the stems of a request lie: a pure function of the request, so that whoever asks again finds them."""

from urllib.parse import quote

from consumer.core.events import SeparationRequest

MANIFEST = "manifest.json"


def output_folder(default_prefix: str, request: SeparationRequest) -> str:
    """What the keys of a request's stems and manifest begin with; ends with <request_id>/.

    A tenant's lie below a folder of the tenant's own, unless the request names a prefix.
    """
    if request.output.prefix is not None:
        return f"{request.output.prefix}{request.request_id}/"
    return f"{tenant_prefix(default_prefix, request.tenant)}{request.request_id}/"


def tenant_prefix(default_prefix: str, tenant: str | None) -> str:
    """What all of a tenant's keys begin with; None stands for requests of nobody in particular."""
    return default_prefix if tenant is None else f"{default_prefix}{_segment(tenant)}/"


def is_anothers_place(default_prefix: str, tenant: str | None, key: str) -> bool:
    """Whether a key, or what keys begin with, lies where other tenants have their stems by default.

    Requests of nobody in particular have no place that they could be told by: nowhere is another's to them.
    """
    is_among_tenants = tenant is not None and key.startswith(default_prefix)
    return is_among_tenants and not key.startswith(tenant_prefix(default_prefix, tenant))


def _segment(tenant: str) -> str:
    """One path segment, another for each name: percent-encoded, but for letters and digits of ASCII and -_~. in names.

    A name of dots alone would be a way upwards, and an empty one no segment.
    """
    quoted = quote(tenant, safe="")
    return (quoted if quoted.strip(".") else quoted.replace(".", "%2E")) or "%"

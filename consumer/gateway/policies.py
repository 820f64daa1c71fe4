"""What browsers let our answers do: Content-Security-Policy (https://www.w3.org/TR/CSP3/). Nothing from elsewhere."""

_OWN = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'{store}; "
_CLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_NO_TEXT_IS_MARKUP = "; require-trusted-types-for 'script'; trusted-types 'none'"

API_DOCS_POLICY = _OWN.format(store="") + _CLOSED
"""Of the page of the OpenAPI document: what it is drawn by makes markup of text."""


def strict_policy(store_origin: str | None = None) -> str:
    """Of all else. store_origin: scheme://host:port of object storage, where clients reach it themselves."""
    return _OWN.format(store=f" {store_origin}" if store_origin else "") + _CLOSED + _NO_TEXT_IS_MARKUP

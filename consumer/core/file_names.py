"""Spleeter's template for the names of stems' files, as its options and its methods take it."""

from collections.abc import Mapping

TEMPLATE_FIELDS = ("filename", "instrument", "foldername", "codec")
DEFAULT_TEMPLATE = "{filename}/{instrument}.{codec}"


class BadTemplate(ValueError):
    """It is no template of these fields."""


def fill_template(template: str, fields: Mapping[str, str]) -> str:
    """The name that it makes of TEMPLATE_FIELDS' values. Raises BadTemplate."""
    try:
        return template.format(**fields)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise BadTemplate(template) from error

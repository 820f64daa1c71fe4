"""The one error that scripts written for Spleeter know."""

from collections.abc import Iterator
from contextlib import contextmanager

from consumer.core.errors import ConsumerError
from consumer.core.extras import not_installed


class SpleeterError(ConsumerError):
    """What was asked for can't be done; the message says why. Its cause, if any, has this project's own code."""


@contextmanager
def told_as_spleeter_error() -> Iterator[None]:
    """Within this, whatever this project raises on purpose is a SpleeterError; so is a package that is missing."""
    try:
        yield
    except SpleeterError:
        raise
    except ConsumerError as error:
        raise SpleeterError(str(error)) from error
    except ModuleNotFoundError as error:
        raise SpleeterError(str(not_installed(error.name or str(error)))) from error

"""What a bundle is refused with."""


class BadBundle(ValueError):
    """Why a bundle can't be read, in words that name no path."""

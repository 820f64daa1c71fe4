"""This distribution's version."""

from importlib.metadata import version

VERSION = version("spleeter-consumer")

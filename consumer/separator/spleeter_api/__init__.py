"""Spleeter's programming interface (2.4.2) on this engine: a script changes its import and nothing else.

`from consumer.separator import Separator, SpleeterError` in place of Spleeter's two imports. Numbers, file names and
defaults are Spleeter's; a track that is read from a file is streamed, so memory does not grow with its length.
"""

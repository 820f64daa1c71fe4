"""The world outside, one vendor a module."""

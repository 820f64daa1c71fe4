"""Wires a replica and runs it."""

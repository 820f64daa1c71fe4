"""Leads a record through its stages, and decides what a failure means for it."""

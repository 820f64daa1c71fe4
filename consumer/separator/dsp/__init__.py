"""Samples to spectra and back, and the separation between them."""

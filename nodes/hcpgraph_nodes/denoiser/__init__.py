"""Denoisers without the rest of a model."""

"""Plugins: what is attached to the layers of a model without changing the model."""

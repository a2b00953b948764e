"""Text encoders without the rest of a model."""

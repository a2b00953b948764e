"""Models: loading, making, saving, choosing what is trained."""

"""The kinds of forward processes."""

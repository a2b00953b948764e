"""Forward processes: which noise is added when, and what a network predicts of it."""

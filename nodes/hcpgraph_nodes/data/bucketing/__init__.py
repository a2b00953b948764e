"""Which sizes there are, which picture goes to which, and in which order they come."""

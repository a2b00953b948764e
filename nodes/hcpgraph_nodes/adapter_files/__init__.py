"""Files of adapters: every layout is read into one canonical form and written from it."""

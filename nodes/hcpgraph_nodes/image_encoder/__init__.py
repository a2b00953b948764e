"""Networks that make features of pictures."""

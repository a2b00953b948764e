"""Training loops and what runs inside of them."""

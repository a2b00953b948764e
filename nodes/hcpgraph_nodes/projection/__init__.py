"""Small networks that bring features to another width or number of tokens."""

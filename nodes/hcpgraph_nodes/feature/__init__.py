"""What is done to features."""

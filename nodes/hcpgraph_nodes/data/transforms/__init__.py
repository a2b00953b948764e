"""What changes a sample when it is read."""

"""What is done to tensors of any kind."""

"""What would run: demand, cache keys, trainings that were begun."""

"""How samples become batches: reading, workers, what is kept of what was encoded."""

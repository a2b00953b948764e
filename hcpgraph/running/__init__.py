"""How a plan runs: nodes in order, regions as slots, the training step, caches, the record of a run."""

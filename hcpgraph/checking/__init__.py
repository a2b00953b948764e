"""What is wrong with a graph: flattening, wires, constants, settings, weights; nothing of a node is imported."""

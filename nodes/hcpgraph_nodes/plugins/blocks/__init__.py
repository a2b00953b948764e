"""What plugins are made of: blocks, the hooks that place them, selectors of layers, the algebra of adapters."""

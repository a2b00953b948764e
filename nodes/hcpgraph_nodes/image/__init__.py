"""Pictures on wires and on disk: load, resize, arrange, plot, save."""

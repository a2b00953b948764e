"""The autoencoder alone: making, training, measuring, loading, saving."""

"""Pages of the docs that are made of what the code declares; `python -m docs.generate` writes those that are kept."""

"""Words of one's own: embeddings that stand for a name in prompts (textual inversion)."""

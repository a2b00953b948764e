"""Where training samples come from: pictures with captions, buckets, batches."""

"""What the event loop does: requests, replies, pages, uploads, the watch over files."""

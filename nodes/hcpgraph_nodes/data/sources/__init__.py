"""Where samples come from: data sets, listings, captions, and how files become them."""

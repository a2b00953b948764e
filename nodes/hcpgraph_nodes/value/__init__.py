"""Plain values: numbers, texts, lists; torch-free and evaluated while planning when they feed a setting."""

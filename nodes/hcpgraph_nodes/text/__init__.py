"""Text: values, prompts, encoding."""

"""Settings that must agree: rules over two or more of them, without torch."""

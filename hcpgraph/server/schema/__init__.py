"""The shapes of everything that goes over the wire, from which the editor's types are generated."""

"""`python -m docs.generate` from the root of the repository."""

from . import errors, parts

errors.write()
parts.write()

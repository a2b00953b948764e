"""The node library that ships with hcpgraph. Importing the package itself does no work."""

__version__ = "0.1.0"

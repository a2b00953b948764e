"""`python -m hcpgraph.cli`: the same as `hcpgraph`."""

from . import main

main(prog_name="hcpgraph")

"""`python -m hcpgraph.cli`: the same as `hcpgraph`."""

from . import main

if __name__ == "__main__":
    main(prog_name="hcpgraph")

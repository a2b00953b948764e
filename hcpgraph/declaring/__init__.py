"""What a node is: how it is declared, in which packs nodes are found, and what the engine knows of them unimported."""

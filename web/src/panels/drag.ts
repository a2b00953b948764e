/** What a node dragged out of the palette carries: its type. */
export const NODE_DRAG = "application/x-hcpgraph-node";

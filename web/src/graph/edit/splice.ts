import type { Body, Check, GraphFile } from "../../api/schema";
import { type BodyPath, bodyAt, nodeIn, ownerOf, regionChain, regionOf, wiresAt } from "../body";
import { EditError } from "../error";
import { shapeOf } from "../ports";
import { sourceScope, targetScope } from "../scope";
import { type SpecIndex, takenBy, typeFits } from "../specs";
import { editBody, editNode } from "./base";
import { sourceTypeOf, targetTypeOf } from "./bridge";
import { addNode } from "./nodes";
import { wired } from "./wires";

interface Context {
  specs: SpecIndex;
  check?: Check | null;
}

export interface Passage {
  /** Target of the node that takes the wire. */
  input: string;
  /** Source of the node that feeds the reader on. */
  output: string;
}

/** Whether a node can be put on a wire, and through which of its ports; only unused inputs are taken. */
function passage(
  graph: GraphFile,
  path: BodyPath,
  node: string,
  wire: string,
  { specs, check = null }: Context,
): Passage | null {
  const body = bodyAt(graph, path);
  const source = body.edges[wire];
  if (source === undefined || ownerOf(source) === node || ownerOf(wire) === node) return null;
  const shape = shapeOf(graph, path, node, specs, check);
  const given = sourceTypeOf(graph, path, body, source, specs, check);
  const wanted = targetTypeOf(graph, path, body, wire, specs, check);
  if (given === null || wanted === null) return null;
  const input = shape.inputs.find(
    (port) => (port.many || port.wires.length === 0) && typeFits(specs, takenBy(port.declared, port.many), given),
  );
  if (!input) return null;
  const output = shape.outputs.find((port) => {
    // A generic output is what goes in.
    const type = port.declared.includes("$") && port.declared === input.declared ? given : port.type;
    return typeFits(specs, wanted, type);
  });
  return output ? { input: input.address, output: output.address } : null;
}

/** Put a node on a wire: what fed the target feeds the node, and the node feeds the target. */
export function splice(graph: GraphFile, path: BodyPath, node: string, wire: string, context: Context): GraphFile {
  const through = passage(graph, path, node, wire, context);
  if (!through) throw new EditError("E_EDGE", "graph.error.splice", { node });
  return editBody(graph, path, (body) => {
    const source = body.edges[wire] ?? "";
    const moved = intoScope(graph, body, node, source, wire, context.specs);
    const first = wired(graph, moved, source, through.input, context.specs);
    return { ...first.body, edges: { ...first.body.edges, [wire]: through.output } };
  });
}

/** The node where it may stand on a wire: between the regions of both ends, else in that of the reader. */
function intoScope(graph: GraphFile, body: Body, node: string, source: string, wire: string, specs: SpecIndex): Body {
  const from = sourceScope(graph, body, source, specs);
  const to = targetScope(graph, body, wire, specs);
  const here = regionChain(body, node);
  const fits = from.every((owner, i) => here[i] === owner) && here.every((owner, i) => to[i] === owner);
  if (fits || to.includes(node)) return body;
  return editNode(body, node, (entry) => ({ ...entry, in: to.at(-1) }));
}

/** A reroute on a wire, a dot that the wire runs through. */
export function addReroute(
  graph: GraphFile,
  path: BodyPath,
  wire: string,
  at: [number, number],
  { specs }: Context,
): { graph: GraphFile; id: string } {
  const body = bodyAt(graph, path);
  const source = body.edges[wire];
  if (source === undefined) throw new EditError("E_EDGE", "graph.error.noWire", { target: wire });
  const inside = regionOf(body, ownerOf(wire));
  const scope = targetScope(graph, body, wire, specs).at(-1) ?? inside;
  const added = addNode(graph, path, specs.byId.get("flow.reroute") ?? "flow.reroute", { at, inside: scope });
  const next = editBody(added.graph, path, (old) => ({
    ...old,
    edges: { ...old.edges, [`${added.id}.value`]: source, [wire]: `${added.id}.out` },
  }));
  return { graph: next, id: added.id };
}

/** Wires that a node may be dropped on, as a set of targets; for highlighting while it is dragged. */
export function spliceable(graph: GraphFile, path: BodyPath, node: string, context: Context): Set<string> {
  const body = bodyAt(graph, path);
  nodeIn(body, node);
  if (wiresAt(body, node).incoming.length + wiresAt(body, node).outgoing.length > 0) return new Set();
  return new Set(Object.keys(body.edges).filter((wire) => passage(graph, path, node, wire, context) !== null));
}

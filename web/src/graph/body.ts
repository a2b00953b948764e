import type { Body, GraphFile, NodeEntry } from "../api/schema";
import { EditError } from "./error";

/** Ids of the instances that were entered, from the root; [] is the root. */
export type BodyPath = string[];

const GRAPH = "graph:";

/** The subgraph that a type names, or null for a node of a pack. */
export function graphName(type: string): string | null {
  return type.startsWith(GRAPH) ? type.slice(GRAPH.length) : null;
}

/** The name of the subgraph that a path leads to; null for the root and for a path that leads nowhere. */
export function bodyNameAt(graph: GraphFile, path: BodyPath): string | null {
  let body: Body = graph;
  let name: string | null = null;
  for (const id of path) {
    const type: string | undefined = body.nodes[id]?.type;
    name = type === undefined ? null : graphName(type);
    const next: Body | undefined = name === null ? undefined : graph.graphs[name];
    if (!next) return null;
    body = next;
  }
  return name;
}

/** The body that a path leads to. Throws "graph.error.path" where it leads nowhere: see `validPath`. */
export function bodyAt(graph: GraphFile, path: BodyPath): Body {
  if (path.length === 0) return graph;
  const name = bodyNameAt(graph, path);
  const body = name === null ? undefined : graph.graphs[name];
  if (!body) throw new EditError("E_GRAPH_UNKNOWN", "graph.error.path", { path: path.join("/") });
  return body;
}

/** The longest part of a path that still leads somewhere, as after an undo that took an instance away. */
export function validPath(graph: GraphFile, path: BodyPath): BodyPath {
  let length = path.length;
  while (length > 0 && bodyNameAt(graph, path.slice(0, length)) === null) length -= 1;
  return length === path.length ? path : path.slice(0, length);
}

export function flatId(path: BodyPath, node: string): string {
  return path.length === 0 ? node : `${path.join("/")}/${node}`;
}

/**
 * The node that is drawn for one that ran or was checked: "after" for "after/denoiser", which the engine put in its place
 * for one part of a bundle. Of any other node the same flat id.
 */
export function drawnId(graph: GraphFile, flat: string): string {
  const ids = flat.split("/");
  const path = validPath(graph, ids.slice(0, -1));
  return flatId(path, ids[path.length] ?? flat);
}

/** The node of a body. Throws "graph.error.node". */
export function nodeIn(body: Body, id: string): NodeEntry {
  const entry = Object.hasOwn(body.nodes, id) ? body.nodes[id] : undefined;
  if (!entry) throw new EditError("E_NODE_UNKNOWN", "graph.error.node", { node: id });
  return entry;
}

export function regionOf(body: Body, node: string): string | null {
  return body.nodes[node]?.in ?? null;
}

/** The owners around a node, outermost first. */
export function regionChain(body: Body, node: string): string[] {
  const chain: string[] = [];
  let owner = regionOf(body, node);
  while (owner !== null && owner in body.nodes && !chain.includes(owner)) {
    chain.push(owner);
    owner = regionOf(body, owner);
  }
  return chain.reverse();
}

const childrenOf = new WeakMap<Body["nodes"], Map<string | null, string[]>>();

/** Owner of a region -> nodes directly in it; null -> nodes in no region. */
export function children(body: Body): Map<string | null, string[]> {
  let found = childrenOf.get(body.nodes);
  if (!found) {
    found = new Map();
    for (const [id, entry] of Object.entries(body.nodes)) {
      const owner = entry.in !== undefined && entry.in in body.nodes ? entry.in : null;
      const list = found.get(owner);
      if (list) list.push(id);
      else found.set(owner, [id]);
    }
    childrenOf.set(body.nodes, found);
  }
  return found;
}

/** Every node that lives in a region, however deep. */
export function inside(body: Body, owner: string): Set<string> {
  const found = new Set<string>();
  const stack = [owner];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const child of children(body).get(at) ?? []) {
      if (found.has(child) || child === owner) continue;
      found.add(child);
      stack.push(child);
    }
  }
  return found;
}

/** The given nodes and everything inside of the regions among them. */
export function withInside(body: Body, ids: Iterable<string>): Set<string> {
  const all = new Set<string>();
  for (const id of ids) {
    if (!(id in body.nodes)) continue;
    all.add(id);
    for (const child of inside(body, id)) all.add(child);
  }
  return all;
}

/** "node.port.2" -> node, port, 2. */
export function splitTarget(target: string): { node: string; port: string; index: number | null } {
  const [node = "", port = "", index] = target.split(".");
  return { node, port, index: index === undefined ? null : Number(index) };
}

export function splitSource(source: string): { node: string; port: string } {
  const [node = "", port = ""] = source.split(".");
  return { node, port };
}

/** "node.port.2" -> "node.port". */
export function bareTarget(target: string): string {
  const { node, port } = splitTarget(target);
  return `${node}.${port}`;
}

/** The id of the node that a target or a source belongs to. */
export function ownerOf(port: string): string {
  const dot = port.indexOf(".");
  return dot < 0 ? port : port.slice(0, dot);
}

export interface Wire {
  target: string;
  source: string;
}
export interface NodeWires {
  /** Ends at the node, in the order of its list ports. */
  incoming: Wire[];
  /** Begins at the node. */
  outgoing: Wire[];
}

const wiresOf = new WeakMap<Body["edges"], Map<string, NodeWires>>();
const NONE: NodeWires = { incoming: [], outgoing: [] };

/** The wires of one node; computed once for a set of edges. */
export function wiresAt(body: Body, node: string): NodeWires {
  let index = wiresOf.get(body.edges);
  if (!index) {
    index = new Map();
    const at = (id: string): NodeWires => {
      let wires = index?.get(id);
      if (!wires) {
        wires = { incoming: [], outgoing: [] };
        index?.set(id, wires);
      }
      return wires;
    };
    for (const [target, source] of Object.entries(body.edges)) {
      at(ownerOf(target)).incoming.push({ target, source });
      at(ownerOf(source)).outgoing.push({ target, source });
    }
    for (const wires of index.values()) {
      wires.incoming.sort((a, b) => byTarget(a.target, b.target));
      wires.outgoing.sort((a, b) => byTarget(a.target, b.target));
    }
    wiresOf.set(body.edges, index);
  }
  return index.get(node) ?? NONE;
}

/** Order of targets: by node, by port, and by number within a list port. */
function byTarget(a: string, b: string): number {
  const [one, two] = [splitTarget(a), splitTarget(b)];
  if (one.node !== two.node) return one.node < two.node ? -1 : 1;
  if (one.port !== two.port) return one.port < two.port ? -1 : 1;
  return (one.index ?? -1) - (two.index ?? -1);
}

/** The interface input that feeds a target of this body, or null. A bare list port stands for all of its places. */
export function promotedAs(body: Body, target: string): string | null {
  for (const [name, targets] of Object.entries(body.interface.inputs ?? {})) {
    if (targets.includes(target)) return name;
  }
  return null;
}

/** All bodies: the root under null, then each subgraph under its name. */
export function bodies(graph: GraphFile): [string | null, Body][] {
  return [[null, graph], ...Object.entries(graph.graphs)];
}

/** Names of the subgraphs that a body holds, however deep. */
export function reachable(graph: GraphFile, body: Body): Set<string> {
  const found = new Set<string>();
  const stack = [body];
  for (let at = stack.pop(); at; at = stack.pop()) {
    for (const entry of Object.values(at.nodes)) {
      const name = graphName(entry.type);
      const next = name === null ? undefined : graph.graphs[name];
      if (name === null || !next || found.has(name)) continue;
      found.add(name);
      stack.push(next);
    }
  }
  return found;
}

/** The paths that lead to a body of this name, at most `limit`: more than one where a subgraph has several instances. */
export function pathsTo(graph: GraphFile, name: string | null, limit = 2): BodyPath[] {
  if (name === null) return [[]];
  const found: BodyPath[] = [];
  const walk = (body: Body, path: BodyPath, names: string[]): void => {
    for (const [id, entry] of Object.entries(body.nodes)) {
      const inner = graphName(entry.type);
      const next = inner === null ? undefined : graph.graphs[inner];
      if (inner === null || !next || names.includes(inner) || found.length >= limit) continue;
      if (inner === name) found.push([...path, id]);
      else if (reachable(graph, next).has(name)) walk(next, [...path, id], [...names, inner]);
    }
  };
  walk(graph, [], []);
  return found;
}

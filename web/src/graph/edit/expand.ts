import type { Body, Frame, GraphFile, NodeEntry, Note } from "../../api/schema";
import { type BodyPath, bodyAt, bodyNameAt, graphName, nodeIn, ownerOf, splitSource, splitTarget } from "../body";
import { EditError } from "../error";
import { middle } from "../geometry";
import { freeId } from "../names";
import type { SpecIndex } from "../specs";
import { closeGaps, settle, withBody, withoutNodes } from "./base";
import { isTaken } from "./nodes";
import { raisedStream, usesStream } from "./streams";

/**
 * Put what is inside of an instance in its place: with the values that the instance gave, the wires it had, and the
 * random streams of before. The subgraph goes when this was its last instance.
 */
export function expand(
  graph: GraphFile,
  path: BodyPath,
  instance: string,
  { specs }: { specs?: SpecIndex } = {},
): { graph: GraphFile; ids: string[] } {
  const outer = bodyAt(graph, path);
  const entry = nodeIn(outer, instance);
  const name = graphName(entry.type);
  const inner = name === null ? undefined : graph.graphs[name];
  if (!inner) throw new EditError("E_GRAPH_UNKNOWN", "graph.error.noSubgraph", { node: instance });
  const ids = newIds(outer, inner, instance);
  const move = (port: string): string => {
    const id = ownerOf(port);
    return (ids.get(id) ?? id) + port.slice(id.length);
  };
  const [dx, dy] = shift(outer, inner, instance);
  const nodes: Body["nodes"] = {};
  const places: Record<string, number[]> = {};
  for (const [old, node] of Object.entries(inner.nodes)) {
    const id = ids.get(old) ?? old;
    nodes[id] = raised(graph, path, instance, node, old, id, ids, entry, specs);
    const [x = 0, y = 0, ...size] = inner.view.nodes?.[old] ?? [];
    places[id] = [x + dx, y + dy, ...size];
  }
  give(nodes, inner, entry, move);
  const rest = withoutNodes(outer, new Set([instance]));
  const body: Body = {
    nodes: { ...rest.nodes, ...nodes },
    edges: mergedEdges(outer, inner, instance, move),
    interface: mergedInterface(outer, inner, instance, move),
    view: {
      nodes: { ...rest.view.nodes, ...places },
      notes: [...(rest.view.notes ?? []), ...moved(inner.view.notes ?? [], rest.view.notes ?? [], "note", dx, dy)],
      frames: [...(rest.view.frames ?? []), ...moved(inner.view.frames ?? [], rest.view.frames ?? [], "frame", dx, dy)],
    },
  };
  const next = withBody(graph, bodyNameAt(graph, path), closeGaps(body));
  return { graph: settle(graph, next), ids: [...ids.values()] };
}

function newIds(outer: Body, inner: Body, instance: string): Map<string, string> {
  const taken = isTaken(outer);
  const given = new Set<string>();
  const ids = new Map<string, string>();
  for (const old of Object.keys(inner.nodes)) {
    // An id that another node of the body has is left to that one.
    const id = freeId(old, (one) => {
      const free = one === instance || !taken(one);
      return !free || given.has(one) || (one !== old && Object.hasOwn(inner.nodes, one));
    });
    given.add(id);
    ids.set(old, id);
  }
  return ids;
}

function raised(
  graph: GraphFile,
  path: BodyPath,
  instance: string,
  node: NodeEntry,
  old: string,
  id: string,
  ids: ReadonlyMap<string, string>,
  holder: NodeEntry,
  specs?: SpecIndex,
): NodeEntry {
  const { in: owner, stream: _, ...rest } = node;
  const region = owner !== undefined ? (ids.get(owner) ?? owner) : holder.in;
  const stream = usesStream(graph, node, specs) ? raisedStream(graph, path, instance, node, old, id) : node.stream;
  return {
    ...rest,
    ...(region !== undefined && { in: region }),
    ...(stream !== undefined && { stream }),
    ...(holder.mode === "mute" && { mode: "mute" as const }),
  };
}

/** Write the values of the instance into what they stood for. */
function give(nodes: Body["nodes"], inner: Body, holder: NodeEntry, move: (port: string) => string): void {
  for (const [name, value] of Object.entries(holder.settings ?? {})) {
    for (const target of inner.interface.inputs?.[name] ?? []) {
      const { node, port, index } = splitTarget(move(target));
      const entry = nodes[node];
      if (entry && index === null) nodes[node] = { ...entry, settings: { ...entry.settings, [port]: value } };
    }
  }
}

/** What a target of the instance stands for. */
function behind(inner: Body, instance: string, target: string, move: (port: string) => string): string[] | null {
  const { node, port, index } = splitTarget(target);
  if (node !== instance) return null;
  const targets = (inner.interface.inputs?.[port] ?? []).map(move);
  return index === null ? targets : targets.map((one) => (splitTarget(one).index === null ? `${one}.${index}` : one));
}

function mergedEdges(outer: Body, inner: Body, instance: string, move: (port: string) => string): Body["edges"] {
  const edges: Body["edges"] = {};
  for (const [target, source] of Object.entries(inner.edges)) edges[move(target)] = move(source);
  for (const [target, from] of Object.entries(outer.edges)) {
    const source = giver(inner, instance, from, move);
    if (source === null) continue;
    for (const end of behind(inner, instance, target, move) ?? [target]) edges[end] = source;
  }
  return edges;
}

/** The source that a source of the instance stands for; itself for one of another node, null for one that is not there. */
function giver(inner: Body, instance: string, source: string, move: (port: string) => string): string | null {
  const { node, port } = splitSource(source);
  if (node !== instance) return source;
  const found = inner.interface.outputs?.[port];
  return found === undefined ? null : move(found);
}

function mergedInterface(
  outer: Body,
  inner: Body,
  instance: string,
  move: (port: string) => string,
): Body["interface"] {
  const inputs: Record<string, string[]> = {};
  for (const [name, targets] of Object.entries(outer.interface.inputs ?? {})) {
    const found = targets.flatMap((target) => behind(inner, instance, target, move) ?? [target]);
    if (found.length > 0) inputs[name] = [...new Set(found)];
  }
  const outputs: Record<string, string> = {};
  for (const [name, source] of Object.entries(outer.interface.outputs ?? {})) {
    const found = giver(inner, instance, source, move);
    if (found !== null) outputs[name] = found;
  }
  return { inputs, outputs };
}

/** How far the drawing of the body has to go so that its middle is where the instance stood. */
function shift(outer: Body, inner: Body, instance: string): [number, number] {
  const [x = 0, y = 0] = outer.view.nodes?.[instance] ?? [];
  const [mx, my] = middle(Object.keys(inner.nodes).map((id) => inner.view.nodes?.[id] ?? [0, 0]));
  return [x - mx, y - my];
}

function moved<T extends Note | Frame>(all: T[], there: T[], kind: string, dx: number, dy: number): T[] {
  const taken = new Set(there.map((one) => one.id));
  return all.map((one) => {
    const id = freeId(taken.has(one.id) ? kind : one.id, (name) => taken.has(name));
    taken.add(id);
    const [x, y, w, h] = one.at;
    return { ...one, id, at: [x + dx, y + dy, w, h] };
  });
}

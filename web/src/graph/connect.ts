import type { Body, Check, GraphFile } from "../api/schema";
import { type BodyPath, bareTarget, bodyAt, ownerOf, promotedAs, splitTarget } from "./body";
import { targetInfo } from "./face";
import { remembered } from "./memo";
import { sourceVertex, targetVertices, type Vertex, waitingFor, waitsFor } from "./order";
import { isTarget, type PortView, portsOf, resolvedType, shapeOf } from "./ports";
import { closedTo, sourceScope, targetScope } from "./scope";
import { isBundle, type SpecIndex, takenBy, typeFits } from "./specs";

export interface ConnectContext {
  specs: SpecIndex;
  check?: Check | null;
}
export type Verdict = { ok: true } | { ok: false; why: string; values?: Record<string, string> };

const OK: Verdict = { ok: true };

/**
 * Whether a wire may be drawn: types by the server's table and the last check, regions, circles. `why` is a key of the
 * language files.
 */
export function canConnect(
  graph: GraphFile,
  path: BodyPath,
  source: string,
  target: string,
  context: ConnectContext,
): Verdict {
  const body = bodyAt(graph, path);
  const from = portAt(graph, path, body, source, "source", context);
  const to = portAt(graph, path, body, target, "target", context);
  if (!from) return { ok: false, why: "graph.connect.noSource", values: { port: source } };
  if (!to) return { ok: false, why: "graph.connect.noTarget", values: { port: target } };
  const held = hold(graph, path, body, from, context);
  return judge(held, to, target);
}

/** Addresses ("node.port") that a wire from a source may end at. */
export function legalTargets(graph: GraphFile, path: BodyPath, source: string, context: ConnectContext): Set<string> {
  const body = bodyAt(graph, path);
  const from = portAt(graph, path, body, source, "source", context);
  const legal = new Set<string>();
  if (!from) return legal;
  const held = hold(graph, path, body, from, context);
  for (const port of allPorts(graph, path, body, context)) {
    if (isTarget(port.side) && judge(held, port, port.address).ok) legal.add(port.address);
  }
  return legal;
}

/** Addresses ("node.port") that a wire to a target may begin at. */
export function legalSources(graph: GraphFile, path: BodyPath, target: string, context: ConnectContext): Set<string> {
  const body = bodyAt(graph, path);
  const to = portAt(graph, path, body, target, "target", context);
  const legal = new Set<string>();
  if (!to) return legal;
  // Looked at from the target, of which there is one: what waits for it is found once.
  const later = new Map<Vertex, Set<Vertex>>();
  const isLater = (giver: Vertex, vertex: Vertex): boolean =>
    remembered(later, vertex, () => waitingFor(graph, body, vertex, context.specs)).has(giver);
  for (const port of allPorts(graph, path, body, context)) {
    if (isTarget(port.side)) continue;
    const giver = sourceVertex(graph, body, port.address, context.specs);
    const held = hold(graph, path, body, port, context, (vertex) => isLater(giver, vertex));
    if (judge(held, to, target).ok) legal.add(port.address);
  }
  return legal;
}

/** A source with what is asked of it again and again. */
interface Held {
  graph: GraphFile;
  path: BodyPath;
  body: Body;
  context: ConnectContext;
  port: PortView;
  scope: string[];
  /** Whether it waits for a vertex. */
  waits: (vertex: Vertex) => boolean;
}

function hold(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  port: PortView,
  context: ConnectContext,
  waits?: (vertex: Vertex) => boolean,
): Held {
  const { specs } = context;
  let earlier: Set<Vertex> | null = null;
  const isEarlier = (vertex: Vertex): boolean => {
    earlier ??= waitsFor(graph, body, sourceVertex(graph, body, port.address, specs), specs);
    return earlier.has(vertex);
  };
  const scope = sourceScope(graph, body, port.address, specs);
  return { graph, path, body, context, port, scope, waits: waits ?? isEarlier };
}

function judge(held: Held, to: PortView, target: string): Verdict {
  const { graph, path, body, context, port } = held;
  const { specs } = context;
  const wanted = bound(held, to, target);
  const other = wanted !== to.declared && isBundle(specs, wanted) !== isBundle(specs, port.type);
  const many = to.side === "input" && (to.many || splitTarget(target).index !== null);
  if (other || !typeFits(specs, to.side === "setting" ? to.type : takenBy(wanted, many), port.type)) {
    return { ok: false, why: "graph.connect.type", values: { wanted, given: port.type } };
  }
  const closed = closedTo(held.scope, targetScope(graph, body, target, specs));
  if (closed !== null) return { ok: false, why: "graph.connect.scope", values: { region: closed } };
  if (path.length > 0 && body.edges[target] === undefined && !to.many) {
    const name = promotedAs(body, target);
    if (name !== null) return { ok: false, why: "graph.connect.promoted", values: { name } };
  }
  const inside = port.side === "entry" && to.side === "exit";
  if (ownerOf(port.address) === ownerOf(target) && !inside && !targetInfo(graph, body, target, specs)?.later) {
    return { ok: false, why: "graph.connect.self" };
  }
  const after = targetVertices(graph, body, port.address, target, specs);
  if (after.some(held.waits)) return { ok: false, why: "graph.connect.cycle" };
  return OK;
}

/**
 * The type that a target takes. A variable ("$T" of flow.switch) is what the node's other inputs of it bring; where
 * those would have to widen (an int beside a float) the server decides.
 */
function bound({ graph, path, body, context, port }: Held, to: PortView, target: string): string {
  const { specs, check } = context;
  const id = ownerOf(target);
  const shape = shapeOf(graph, path, id, specs, check);
  const name = to.declared;
  if (!shape.spec || !name.startsWith("$")) return name;
  const others = [...shape.inputs, ...shape.exits].filter((one) => one.name !== to.name && one.declared === name);
  for (const other of others) {
    const [wire] = other.wires;
    const known = wire && check ? resolvedType(graph, path, body, wire.source, check) : undefined;
    if (known === undefined) continue;
    // A variable is a bundle at all its ports, or at none.
    if (isBundle(specs, known) !== isBundle(specs, port.type) || !typeFits(specs, port.type, known)) return known;
  }
  return name;
}

function portAt(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  address: string,
  end: "source" | "target",
  { specs, check }: ConnectContext,
): PortView | null {
  const id = ownerOf(address);
  if (!Object.hasOwn(body.nodes, id)) return null;
  const ports = portsOf(shapeOf(graph, path, id, specs, check), id);
  const bare = bareTarget(address);
  const found = ports.find((port) => port.address === bare && isTarget(port.side) === (end === "target"));
  if (!found) return null;
  return splitTarget(address).index === null ? found : { ...found, many: false };
}

function* allPorts(graph: GraphFile, path: BodyPath, body: Body, { specs, check }: ConnectContext): Iterable<PortView> {
  for (const id of Object.keys(body.nodes)) yield* portsOf(shapeOf(graph, path, id, specs, check), id);
}

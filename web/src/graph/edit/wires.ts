import type { Body, GraphFile } from "../../api/schema";
import { type BodyPath, bareTarget, nodeIn, ownerOf, promotedAs, splitTarget } from "../body";
import { EditError } from "../error";
import { targetInfo } from "../face";
import { SOURCE, TARGET } from "../names";
import type { SpecIndex } from "../specs";
import { closeGaps, editBody, listSize } from "./base";

/**
 * Wire a source to a target. What fed the target before is replaced; a bare list port ("train.loss") appends. Whether
 * the types fit is not asked here: see `canConnect`.
 */
export function connect(
  graph: GraphFile,
  path: BodyPath,
  source: string,
  target: string,
  { specs }: { specs: SpecIndex },
): GraphFile {
  return editBody(graph, path, (body) => wired(graph, body, source, target, specs).body);
}

/** `connect` on a body; also says at which target the wire ends. */
export function wired(
  graph: GraphFile,
  body: Body,
  source: string,
  target: string,
  specs: SpecIndex,
): { body: Body; target: string } {
  if (!SOURCE.test(source)) throw new EditError("E_EDGE_SYNTAX", "graph.error.edge", { name: source });
  if (!TARGET.test(target)) throw new EditError("E_EDGE_SYNTAX", "graph.error.edge", { name: target });
  nodeIn(body, ownerOf(source));
  nodeIn(body, ownerOf(target));
  const bare = bareTarget(target);
  const size = listSize(body, bare);
  let { index } = splitTarget(target);
  if (index === null && (size > 0 || targetInfo(graph, body, bare, specs)?.many)) index = size;
  if (index !== null && index > size) throw new EditError("E_EDGE", "graph.error.gap", { target });
  if (index !== null && Object.hasOwn(body.edges, bare)) {
    throw new EditError("E_EDGE", "graph.error.oneWire", { target: bare });
  }
  if (index !== null && promotedAs(body, bare) !== null) {
    throw new EditError("E_EDGE", "graph.error.promotedList", { target: bare });
  }
  const end = index === null ? bare : `${bare}.${index}`;
  if (body.edges[end] === source) return { body, target: end };
  return { body: { ...body, edges: { ...body.edges, [end]: source } }, target: end };
}

/** Remove the wires that end at these targets; the wires behind them in a list move up. */
export function disconnect(graph: GraphFile, path: BodyPath, targets: string | Iterable<string>): GraphFile {
  const gone = new Set(typeof targets === "string" ? [targets] : targets);
  return editBody(graph, path, (body) => {
    const left = Object.entries(body.edges).filter(([target]) => !gone.has(target));
    if (left.length === Object.keys(body.edges).length) return body;
    return closeGaps({ ...body, edges: Object.fromEntries(left) });
  });
}

/** Move an end of a wire; within one list port it keeps its place. */
export function reconnect(
  graph: GraphFile,
  path: BodyPath,
  oldTarget: string,
  source: string,
  target: string,
  { specs }: { specs: SpecIndex },
): GraphFile {
  return editBody(graph, path, (body) => {
    if (!Object.hasOwn(body.edges, oldTarget)) {
      throw new EditError("E_EDGE", "graph.error.noWire", { target: oldTarget });
    }
    if (target === oldTarget || target === bareTarget(oldTarget)) {
      nodeIn(body, ownerOf(source));
      if (body.edges[oldTarget] === source) return body;
      return { ...body, edges: { ...body.edges, [oldTarget]: source } };
    }
    const { [oldTarget]: _, ...edges } = body.edges;
    const place = splitTarget(target).index;
    const cut = { ...body, edges };
    if (place !== null && bareTarget(target) === bareTarget(oldTarget)) {
      // Both places are of one list: the wire that was there goes, the rest closes up.
      return closeGaps({ ...cut, edges: { ...edges, [target]: source } });
    }
    return closeGaps(wired(graph, cut, source, target, specs).body);
  });
}

/** Give a wire of a list port another place in it; the others make room. */
export function reorderWire(graph: GraphFile, path: BodyPath, target: string, place: number): GraphFile {
  return editBody(graph, path, (body) => {
    const { index } = splitTarget(target);
    const bare = bareTarget(target);
    const size = listSize(body, bare);
    if (index === null || index >= size) throw new EditError("E_EDGE", "graph.error.noWire", { target });
    const order = Array.from({ length: size }, (_, at) => at);
    order.splice(Math.min(Math.max(place, 0), size - 1), 0, ...order.splice(index, 1));
    if (order.every((from, to) => from === to)) return body;
    const moved = new Map(order.map((from, to) => [`${bare}.${from}`, `${bare}.${to}`]));
    const edges = Object.entries(body.edges).map(([to, from]) => [moved.get(to) ?? to, from] as const);
    const inputs = Object.entries(body.interface.inputs ?? {}).map(
      ([name, targets]) => [name, targets.map((to) => moved.get(to) ?? to)] as const,
    );
    const face = { ...body.interface, inputs: Object.fromEntries(inputs) };
    return { ...body, edges: Object.fromEntries(edges), interface: face };
  });
}

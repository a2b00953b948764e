import type { Body, GraphFile } from "../api/schema";
import { children, graphName, ownerOf, splitTarget } from "./body";
import { sourceInfo, targetInfo } from "./face";
import { remembered } from "./memo";
import { sourceScope, targetScope } from "./scope";
import type { SpecIndex } from "./specs";

/**
 * Who waits for whom in a body, as in hcpgraph/checking/order.py: a node is one vertex, the owner of a region two (it begins, it
 * ends), an instance one for each of its inputs and outputs, because what goes into one side of a subgraph need not
 * come out of the other.
 */
export type Vertex = string;

const begin = (id: string): Vertex => `${id}<`;
const end = (id: string): Vertex => `${id}>`;

interface Order {
  before: Map<Vertex, Vertex[]>;
  after: Map<Vertex, Vertex[]>;
}

const orders = new WeakMap<
  SpecIndex,
  WeakMap<Body["edges"], { nodes: Body["nodes"]; graphs: unknown; order: Order }>
>();

function orderOf(graph: GraphFile, body: Body, specs: SpecIndex): Order {
  const byEdges = remembered(orders, specs, () => new WeakMap());
  const known = byEdges.get(body.edges);
  if (known && known.nodes === body.nodes && known.graphs === graph.graphs) return known.order;
  const order = makeOrder(graph, body, specs);
  byEdges.set(body.edges, { nodes: body.nodes, graphs: graph.graphs, order });
  return order;
}

function makeOrder(graph: GraphFile, body: Body, specs: SpecIndex): Order {
  const before = new Map<Vertex, Vertex[]>();
  const after = new Map<Vertex, Vertex[]>();
  const link = (first: Vertex, then: Vertex): void => {
    remembered(before, then, () => []).push(first);
    remembered(after, first, () => []).push(then);
  };
  for (const id of Object.keys(body.nodes)) {
    for (const [first, then] of innerLinks(graph, body, id, specs)) link(first, then);
    for (const child of children(body).get(id) ?? []) {
      for (const vertex of verticesOf(graph, body, child)) {
        link(begin(id), vertex);
        link(vertex, end(id));
      }
    }
  }
  for (const [target, source] of Object.entries(body.edges)) {
    const first = sourceVertex(graph, body, source, specs);
    for (const then of targetVertices(graph, body, source, target, specs)) link(first, then);
  }
  return { before, after };
}

function isInstance(graph: GraphFile, body: Body, id: string): boolean {
  const name = graphName(body.nodes[id]?.type ?? "");
  return name !== null && name in graph.graphs;
}

function verticesOf(graph: GraphFile, body: Body, id: string): Vertex[] {
  if (!isInstance(graph, body, id)) return [begin(id), end(id)];
  const face = graph.graphs[graphName(body.nodes[id]?.type ?? "") ?? ""]?.interface;
  return [
    ...Object.keys(face?.inputs ?? {}).map((name) => begin(`${id}.${name}`)),
    ...Object.keys(face?.outputs ?? {}).map((name) => end(`${id}.${name}`)),
  ];
}

function innerLinks(graph: GraphFile, body: Body, id: string, specs: SpecIndex): [Vertex, Vertex][] {
  const name = graphName(body.nodes[id]?.type ?? "");
  if (name === null || !(name in graph.graphs)) return [[begin(id), end(id)]];
  const links: [Vertex, Vertex][] = [];
  for (const [output, inputs] of through(graph, name, specs)) {
    for (const input of inputs) links.push([begin(`${id}.${input}`), end(`${id}.${output}`)]);
  }
  return links;
}

const passages = new WeakMap<SpecIndex, WeakMap<GraphFile["graphs"], Map<string, Map<string, Set<string>>>>>();

/** Which inputs of a subgraph each of its outputs waits for. */
function through(graph: GraphFile, name: string, specs: SpecIndex): Map<string, Set<string>> {
  const byGraphs = remembered(passages, specs, () => new WeakMap());
  const known = remembered(byGraphs, graph.graphs, () => new Map());
  const found = known.get(name);
  if (found) return found;
  const result = new Map<string, Set<string>>();
  known.set(name, result); // a subgraph that contains itself passes nothing on: the server reports it
  const body = graph.graphs[name];
  if (!body) return result;
  const entered = new Map<Vertex, Set<string>>();
  for (const [input, targets] of Object.entries(body.interface.inputs ?? {})) {
    for (const target of targets) {
      const vertex = targetVertex(graph, body, target, specs);
      entered.set(vertex, (entered.get(vertex) ?? new Set()).add(input));
    }
  }
  for (const [output, source] of Object.entries(body.interface.outputs ?? {})) {
    const inputs = new Set<string>();
    for (const vertex of waitsFor(graph, body, sourceVertex(graph, body, source, specs), specs)) {
      for (const input of entered.get(vertex) ?? []) inputs.add(input);
    }
    result.set(output, inputs);
  }
  return result;
}

/** Entries are there from the begin of their owner on, outputs from its end. */
export function sourceVertex(graph: GraphFile, body: Body, source: string, specs: SpecIndex): Vertex {
  const id = ownerOf(source);
  if (isInstance(graph, body, id)) return end(source);
  return sourceInfo(graph, body, source, specs)?.side === "entry" ? begin(id) : end(id);
}

function targetVertex(graph: GraphFile, body: Body, target: string, specs: SpecIndex): Vertex {
  const { node, port } = splitTarget(target);
  if (isInstance(graph, body, node)) return begin(`${node}.${port}`);
  const info = targetInfo(graph, body, target, specs);
  // What is read when the pass is over: nothing waits for it.
  if (info?.later) return `${node}~${port}`;
  return info?.kind === "exit" ? end(node) : begin(node);
}

/** What waits for a wire: its target, and the outermost region around it that the wire enters. */
export function targetVertices(
  graph: GraphFile,
  body: Body,
  source: string,
  target: string,
  specs: SpecIndex,
): Vertex[] {
  const vertices = [targetVertex(graph, body, target, specs)];
  const from = sourceScope(graph, body, source, specs);
  const entered = targetScope(graph, body, target, specs).find((owner, depth) => from[depth] !== owner);
  // Its own end is no begin: an owner does not wait for what its region gives.
  if (entered !== undefined && entered !== ownerOf(source) && entered !== ownerOf(target))
    vertices.push(begin(entered));
  return vertices;
}

/** Everything that a vertex waits for, itself included. */
export function waitsFor(graph: GraphFile, body: Body, vertex: Vertex, specs: SpecIndex): Set<Vertex> {
  return along(orderOf(graph, body, specs).before, vertex);
}

/** Everything that waits for a vertex, itself included. */
export function waitingFor(graph: GraphFile, body: Body, vertex: Vertex, specs: SpecIndex): Set<Vertex> {
  return along(orderOf(graph, body, specs).after, vertex);
}

function along(links: ReadonlyMap<Vertex, Vertex[]>, start: Vertex): Set<Vertex> {
  const found = new Set([start]);
  const stack = [start];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const next of links.get(at) ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      stack.push(next);
    }
  }
  return found;
}

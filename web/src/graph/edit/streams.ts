import type { Body, GraphFile, NodeEntry } from "../../api/schema";
import { type BodyPath, bodyNameAt, graphName, nodeIn, pathsTo } from "../body";
import { draws, type SpecIndex } from "../specs";

/** What the engine puts before the streams of a body: the streams of the instances around it. */
function streamPrefix(graph: GraphFile, path: BodyPath): string {
  let body: Body = graph;
  let prefix = "";
  for (const id of path) {
    const entry = nodeIn(body, id);
    prefix = `${absolute(prefix, entry.stream ?? id)}/`;
    body = graph.graphs[graphName(entry.type) ?? ""] ?? body;
  }
  return prefix;
}

/** "@name" is `name` wherever a body stands. */
function absolute(prefix: string, stream: string): string {
  return stream.startsWith("@") ? stream.slice(1) : prefix + stream;
}

/** Whether a node's stream is of any consequence: it draws, or something inside of the subgraph does. */
export function usesStream(graph: GraphFile, entry: NodeEntry, specs?: SpecIndex, depth = 0): boolean {
  if (!specs || depth > 32) return true;
  const name = graphName(entry.type);
  if (name === null) return draws(specs.byId.get(entry.type));
  const body = graph.graphs[name];
  return body ? Object.values(body.nodes).some((inner) => usesStream(graph, inner, specs, depth + 1)) : true;
}

/**
 * The streams that nodes need when they go one body deeper, so that they draw as before. In a subgraph with several
 * instances each of them draws its own numbers, which the file cannot say from further inside: those are left alone.
 */
export function keptStream(graph: GraphFile, path: BodyPath): (id: string, entry: NodeEntry) => string | undefined {
  const once = pathsTo(graph, bodyNameAt(graph, path)).length === 1;
  const prefix = streamPrefix(graph, path);
  return (id, entry) => {
    if (entry.stream?.startsWith("@")) return entry.stream;
    return once ? `@${absolute(prefix, entry.stream ?? id)}` : entry.stream;
  };
}

/** The stream that a node of an instance needs when it comes out of it; undefined where that is the one of its id. */
export function raisedStream(
  graph: GraphFile,
  path: BodyPath,
  instance: string,
  entry: NodeEntry,
  old: string,
  id: string,
): string | undefined {
  const holder = nodeIn(path.length === 0 ? graph : holderOf(graph, path), instance);
  const own = entry.stream ?? old;
  const stream = own.startsWith("@") ? own : `${holder.stream ?? instance}/${own}`;
  const once = pathsTo(graph, bodyNameAt(graph, path)).length === 1;
  const prefix = streamPrefix(graph, path);
  const plain =
    once && absolute(prefix, stream).startsWith(prefix) ? absolute(prefix, stream).slice(prefix.length) : stream;
  return plain === id ? undefined : plain;
}

function holderOf(graph: GraphFile, path: BodyPath): Body {
  let body: Body = graph;
  for (const id of path) body = graph.graphs[graphName(nodeIn(body, id).type) ?? ""] ?? body;
  return body;
}

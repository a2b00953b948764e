import type { Body, Check, GraphFile, Json, NodeEntry, NodeSpec } from "../../api/schema";
import { type BodyPath, bodyAt, children, graphName, inside, nodeIn, ownerOf, regionOf, withInside } from "../body";
import { EditError } from "../error";
import { freeId, requireId, STREAM } from "../names";
import type { SpecIndex } from "../specs";
import { closeGaps, editBody, editNode, renamePorts, rounded, settle, withoutNodes } from "./base";
import { bridge } from "./bridge";

const MAX_NODES = 20_000;

export interface AddOptions {
  id?: string;
  at: [number, number];
  inside?: string | null;
  settings?: Record<string, Json>;
}

/** Whether an id can be given to a new node: neither a node nor a random stream of the body has that name. */
export function isTaken(body: Body): (id: string) => boolean {
  const streams = new Set(Object.values(body.nodes).map((entry) => entry.stream?.replace(/^@/, "")));
  return (id) => Object.hasOwn(body.nodes, id) || streams.has(id);
}

/** Add a node of a spec, or of a type by name ("graph:draw", or one that is not installed). */
export function addNode(
  graph: GraphFile,
  path: BodyPath,
  type: NodeSpec | string,
  { id, at, inside: owner, settings }: AddOptions,
): { graph: GraphFile; id: string } {
  const body = bodyAt(graph, path);
  const name = typeof type === "string" ? type : type.id;
  const chosen = id ?? freeId(name, isTaken(body));
  requireId(chosen);
  if (Object.hasOwn(body.nodes, chosen)) throw new EditError("E_ID", "graph.error.taken", { name: chosen });
  if (Object.keys(body.nodes).length >= MAX_NODES) {
    throw new EditError("E_TOO_MANY_NODES", "graph.error.tooMany", { count: String(MAX_NODES) });
  }
  const values = { ...(typeof type === "string" ? {} : structuredClone(type.defaults)), ...settings };
  const entry: NodeEntry = { type: name, version: typeof type === "string" ? 1 : type.version };
  if (owner != null) {
    requireOwner(body, owner);
    entry.in = owner;
  }
  if (Object.keys(values).length > 0) entry.settings = values;
  const next = editBody(graph, path, (old) => ({
    ...old,
    nodes: { ...old.nodes, [chosen]: entry },
    view: { ...old.view, nodes: { ...old.view.nodes, [chosen]: rounded(at) } },
  }));
  return { graph: next, id: chosen };
}

export type RemoveOptions = { keepWires?: false } | { keepWires: true; specs: SpecIndex; check?: Check | null };

/**
 * Remove nodes with everything that names them, and what lives in the regions among them. With `keepWires` what a node
 * passed through stays wired, and the owner of a region leaves its nodes behind.
 */
export function removeNodes(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  options: RemoveOptions = {},
): GraphFile {
  const chosen = [...ids];
  const next = editBody(graph, path, (body) => {
    const here = chosen.filter((id) => Object.hasOwn(body.nodes, id));
    if (here.length === 0) return body;
    if (!options.keepWires) return closeGaps(withoutNodes(body, withInside(body, here)));
    let left = body;
    for (const id of here) {
      left = bridge(graph, path, left, id, options.specs, options.check ?? null);
      const owner = regionOf(left, id);
      for (const child of children(left).get(id) ?? []) {
        left = editNode(left, child, (entry) => ({ ...entry, in: owner ?? undefined }));
      }
      left = withoutNodes(left, new Set([id]));
    }
    return closeGaps(left);
  });
  return settle(graph, next);
}

/** The same as `removeNodes` with `keepWires`. */
export function removeKeepingWire(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  context: { specs: SpecIndex; check?: Check | null },
): GraphFile {
  return removeNodes(graph, path, ids, { keepWires: true, ...context });
}

/** Give a node another id; its random stream keeps the old one, so that its draws stay the same. */
export function renameNode(graph: GraphFile, path: BodyPath, old: string, id: string): GraphFile {
  return editBody(graph, path, (body) => {
    const entry = nodeIn(body, old);
    if (id === old) return body;
    requireId(id);
    if (Object.hasOwn(body.nodes, id)) throw new EditError("E_ID", "graph.error.taken", { name: id });
    const nodes: Body["nodes"] = {};
    for (const [name, node] of Object.entries(body.nodes)) {
      nodes[name === old ? id : name] = node.in === old ? { ...node, in: id } : node;
    }
    const stream = entry.stream ?? old;
    const renamed = { ...body, nodes };
    const places = Object.entries(body.view.nodes ?? {}).map(([name, at]) => [name === old ? id : name, at] as const);
    const next = editNode(renamed, id, (node) => ({ ...node, stream: stream === id ? undefined : stream }));
    return renamePorts({ ...next, view: { ...body.view, nodes: Object.fromEntries(places) } }, (port) =>
      ownerOf(port) === old ? id + port.slice(old.length) : port,
    );
  });
}

export function setTitle(graph: GraphFile, path: BodyPath, node: string, title: string | null): GraphFile {
  const text = title?.trim() || undefined;
  return editBody(graph, path, (body) =>
    editNode(body, node, (entry) => (entry.title === text ? entry : { ...entry, title: text })),
  );
}

/** Name the random stream of a node ("noise", "@noise"); null is its id. */
export function setStream(graph: GraphFile, path: BodyPath, node: string, stream: string | null): GraphFile {
  const name = stream?.trim() || null;
  if (name !== null && !STREAM.test(name)) throw new EditError("E_ID", "graph.error.stream", { name });
  const next = name === null || name === node ? undefined : name;
  return editBody(graph, path, (body) =>
    editNode(body, node, (entry) => (entry.stream === next ? entry : { ...entry, stream: next })),
  );
}

/**
 * Mute or bypass nodes, or with null let them take part again. Owners of regions and subgraphs cannot be bypassed: in a
 * larger selection they are left as they are, alone they are refused.
 */
export function setMode(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  mode: NodeEntry["mode"] | null,
  specs?: SpecIndex,
): GraphFile {
  const chosen = [...ids];
  return editBody(graph, path, (body) => {
    let next = body;
    let refused: string | null = null;
    for (const id of chosen) {
      const entry = nodeIn(body, id);
      const owns = graphName(entry.type) !== null || isOwner(body, id, specs);
      if (mode === "bypass" && owns) refused ??= id;
      else if ((entry.mode ?? null) !== (mode ?? null)) {
        next = editNode(next, id, (node) => ({ ...node, mode: mode ?? undefined }));
      }
    }
    if (refused !== null && chosen.length === 1) throw new EditError("E_MODE", "graph.error.bypass", { node: refused });
    return next;
  });
}

/** Put nodes into a region, or with null outside of every region. Nodes inside of regions that move go with them. */
export function moveInto(graph: GraphFile, path: BodyPath, ids: Iterable<string>, owner: string | null): GraphFile {
  const chosen = new Set(ids);
  return editBody(graph, path, (body) => {
    if (owner !== null) requireOwner(body, owner);
    let next = body;
    for (const id of chosen) {
      const entry = nodeIn(body, id);
      if (owner !== null && (owner === id || inside(body, id).has(owner))) {
        throw new EditError("E_REGION", "graph.error.insideItself", { node: id });
      }
      if (entry.in !== undefined && chosen.has(entry.in)) continue;
      if ((entry.in ?? null) !== owner) next = editNode(next, id, (node) => ({ ...node, in: owner ?? undefined }));
    }
    return next;
  });
}

/** Whether a node owns a region: its type says so, or, for an unknown type, something lives in it. */
function isOwner(body: Body, id: string, specs?: SpecIndex): boolean {
  const spec = specs?.byId.get(body.nodes[id]?.type ?? "");
  return spec ? spec.body : (children(body).get(id)?.length ?? 0) > 0;
}

function requireOwner(body: Body, owner: string): void {
  const entry = nodeIn(body, owner);
  if (graphName(entry.type) !== null) throw new EditError("E_REGION_OWNER", "graph.error.notOwner", { node: owner });
}

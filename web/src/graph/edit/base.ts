import type { Body, GraphFile, Interface, NodeEntry } from "../../api/schema";
import {
  type BodyPath,
  bareTarget,
  bodies,
  bodyAt,
  bodyNameAt,
  graphName,
  nodeIn,
  ownerOf,
  reachable,
  splitTarget,
} from "../body";

/** Change one body; everything else of the graph is shared. The same graph comes back when the body is the same. */
export function editBody(graph: GraphFile, path: BodyPath, change: (body: Body) => Body): GraphFile {
  const body = bodyAt(graph, path);
  const next = change(body);
  return next === body ? graph : withBody(graph, bodyNameAt(graph, path), next);
}

/** The graph with another body under a name; null is the root. */
export function withBody(graph: GraphFile, name: string | null, body: Body): GraphFile {
  const { nodes, edges, interface: face, view } = body;
  if (name === null) return { ...graph, nodes, edges, interface: face, view };
  return { ...graph, graphs: { ...graph.graphs, [name]: { nodes, edges, interface: face, view } } };
}

/** Change one node. Keys that become undefined are left out of the file. */
export function editNode(body: Body, id: string, change: (entry: NodeEntry) => NodeEntry): Body {
  const entry = nodeIn(body, id);
  const next = change(entry);
  return next === entry ? body : { ...body, nodes: { ...body.nodes, [id]: tidyEntry(next) } };
}

function tidyEntry(entry: NodeEntry): NodeEntry {
  const kept = Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
  return kept as unknown as NodeEntry;
}

/** Give other names to targets and sources, in wires and interface. */
export function renamePorts(
  body: Body,
  target: (port: string) => string,
  source: (port: string) => string = target,
): Body {
  const edges: Body["edges"] = {};
  for (const [to, from] of Object.entries(body.edges)) edges[target(to)] = source(from);
  const inputs: Record<string, string[]> = {};
  for (const [name, targets] of Object.entries(body.interface.inputs ?? {})) inputs[name] = targets.map(target);
  const outputs: Record<string, string> = {};
  for (const [name, from] of Object.entries(body.interface.outputs ?? {})) outputs[name] = source(from);
  return { ...body, edges, interface: { inputs, outputs } };
}

/** Number the wires of every list port 0 … n-1. */
export function closeGaps(body: Body): Body {
  const ports = new Map<string, number[]>();
  for (const target of usedTargets(body)) {
    const { index } = splitTarget(target);
    if (index === null) continue;
    const bare = bareTarget(target);
    const list = ports.get(bare);
    if (!list) ports.set(bare, [index]);
    else if (!list.includes(index)) list.push(index);
  }
  const moved = new Map<string, string>();
  for (const [bare, indexes] of ports) {
    indexes.sort((a, b) => a - b);
    indexes.forEach((index, place) => {
      if (index !== place) moved.set(`${bare}.${index}`, `${bare}.${place}`);
    });
  }
  return moved.size === 0 ? body : renamePorts(body, (port) => moved.get(port) ?? port);
}

function usedTargets(body: Body): string[] {
  return [...Object.keys(body.edges), ...Object.values(body.interface.inputs ?? {}).flat()];
}

/** How many places of a list port are taken. */
export function listSize(body: Body, bare: string): number {
  const used = new Set(usedTargets(body).filter((target) => target.startsWith(`${bare}.`)));
  let size = 0;
  while (used.has(`${bare}.${size}`)) size += 1;
  return size;
}

/** Take nodes out of a body with everything that names them. Gaps in list ports stay: see `closeGaps`. */
export function withoutNodes(body: Body, gone: ReadonlySet<string>): Body {
  const keep = (id: string) => !gone.has(id);
  const nodes = Object.fromEntries(Object.entries(body.nodes).filter(([id]) => keep(id)));
  const cut = withoutPorts(
    body,
    (target) => !keep(ownerOf(target)),
    (source) => !keep(ownerOf(source)),
  );
  const places = Object.entries(body.view.nodes ?? {}).filter(([id]) => keep(id));
  return { ...cut, nodes, view: { ...body.view, nodes: Object.fromEntries(places) } };
}

/** Take targets and sources out of wires and interface. */
function withoutPorts(body: Body, target: (port: string) => boolean, source: (port: string) => boolean): Body {
  const edges = Object.entries(body.edges).filter(([to, from]) => !target(to) && !source(from));
  const inputs: Interface["inputs"] = {};
  for (const [name, targets] of Object.entries(body.interface.inputs ?? {})) {
    const kept = targets.filter((one) => !target(one));
    if (kept.length > 0) inputs[name] = kept;
  }
  const outputs = Object.entries(body.interface.outputs ?? {}).filter(([, from]) => !source(from));
  return { ...body, edges: Object.fromEntries(edges), interface: { inputs, outputs: Object.fromEntries(outputs) } };
}

/**
 * What follows from an edit elsewhere in the file: instances lose the values and wires of names that their subgraph no
 * longer has, list ports close their gaps, subgraphs that lost their last instance go.
 */
export function settle(before: GraphFile, after: GraphFile): GraphFile {
  if (before === after) return before;
  let graph = after;
  const queue = [...Object.keys(graph.graphs)].map((name) => ({
    name,
    old: before.graphs[name]?.interface,
    now: graph.graphs[name]?.interface,
  }));
  for (let change = queue.shift(); change; change = queue.shift()) {
    const { name, old, now } = change;
    if (!old || !now || old === now) continue;
    const lostInputs = lost(old.inputs, now.inputs);
    const lostOutputs = lost(old.outputs, now.outputs);
    if (lostInputs.size === 0 && lostOutputs.size === 0) continue;
    for (const [holder, body] of bodies(graph)) {
      const next = forget(body, name, lostInputs, lostOutputs);
      if (next === body) continue;
      graph = withBody(graph, holder, closeGaps(next));
      if (holder !== null) queue.push({ name: holder, old: body.interface, now: next.interface });
    }
  }
  return dropUnused(before, graph);
}

function lost(old: Record<string, unknown> | undefined, now: Record<string, unknown> | undefined): Set<string> {
  return new Set(Object.keys(old ?? {}).filter((name) => !Object.hasOwn(now ?? {}, name)));
}

/** Take values and wires of names away that instances of a subgraph no longer have. */
function forget(body: Body, name: string, inputs: Set<string>, outputs: Set<string>): Body {
  const instances = Object.keys(body.nodes).filter((id) => graphName(body.nodes[id]?.type ?? "") === name);
  if (instances.length === 0) return body;
  const nodes = { ...body.nodes };
  for (const id of instances) {
    const entry = nodes[id];
    const settings = Object.entries(entry?.settings ?? {});
    const kept = settings.filter(([key]) => !inputs.has(key));
    if (entry && kept.length < settings.length) nodes[id] = { ...entry, settings: Object.fromEntries(kept) };
  }
  const here = new Set(instances);
  const portName = (port: string) => splitTarget(port).port;
  return withoutPorts(
    { ...body, nodes },
    (target) => here.has(ownerOf(target)) && inputs.has(portName(target)),
    (source) => here.has(ownerOf(source)) && outputs.has(portName(source)),
  );
}

/** Bodies of subgraphs that this edit left without an instance; ones that were unused before stay as they are. */
function dropUnused(before: GraphFile, after: GraphFile): GraphFile {
  if (Object.keys(after.graphs).length === 0) return after;
  const used = reachable(after, after);
  const gone = Object.keys(after.graphs).filter((name) => !used.has(name));
  if (gone.length === 0) return after;
  const usedBefore = reachable(before, before);
  const drop = new Set(gone.filter((name) => usedBefore.has(name) || !Object.hasOwn(before.graphs, name)));
  if (drop.size === 0) return after;
  return { ...after, graphs: Object.fromEntries(Object.entries(after.graphs).filter(([name]) => !drop.has(name))) };
}

/** Places are whole canvas units: a file stays readable, and a drag that ends where it began changes nothing. */
export function rounded(at: readonly number[]): number[] {
  return at.map((value) => Math.round(value) || 0);
}

import type { Body, GraphFile, Json } from "../../api/schema";

/** What is different between the graphs of two runs, by places that both can name. */
export interface SettingChange {
  /** "node.setting", "instance/node.setting", "run.seed". */
  place: string;
  /** undefined: it is not there. */
  before: Json | undefined;
  after: Json | undefined;
}
export interface GraphDiff {
  settings: SettingChange[];
  /** Flat ids with their types. */
  added: { node: string; type: string }[];
  removed: { node: string; type: string }[];
  /** Targets whose source is another one. */
  wires: { target: string; before: string | undefined; after: string | undefined }[];
}

interface FlatNode {
  type: string;
  settings: Record<string, Json>;
  mode: string | undefined;
}

export function diffGraphs(before: GraphFile, after: GraphFile): GraphDiff {
  const [old, now] = [flatten(before), flatten(after)];
  const diff: GraphDiff = { settings: [], added: [], removed: [], wires: [] };
  for (const name of ["seed", "precision"] as const) {
    const [a, b] = [before.run?.[name], after.run?.[name]];
    if (a !== b) diff.settings.push({ place: `run.${name}`, before: a, after: b });
  }
  for (const node of sorted([...old.nodes.keys(), ...now.nodes.keys()])) {
    const [a, b] = [old.nodes.get(node), now.nodes.get(node)];
    if (a && b && a.type === b.type) diffNode(diff, node, a, b);
    else {
      if (a) diff.removed.push({ node, type: a.type });
      if (b) diff.added.push({ node, type: b.type });
    }
  }
  for (const target of sorted([...old.wires.keys(), ...now.wires.keys()])) {
    const [a, b] = [old.wires.get(target), now.wires.get(target)];
    if (a !== b) diff.wires.push({ target, before: a, after: b });
  }
  return diff;
}

export function isSame(diff: GraphDiff): boolean {
  return diff.settings.length + diff.added.length + diff.removed.length + diff.wires.length === 0;
}

function diffNode(diff: GraphDiff, node: string, a: FlatNode, b: FlatNode): void {
  for (const name of sorted([...Object.keys(a.settings), ...Object.keys(b.settings)])) {
    const [before, after] = [a.settings[name], b.settings[name]];
    if (!equal(before, after)) diff.settings.push({ place: `${node}.${name}`, before, after });
  }
  if (a.mode !== b.mode) diff.settings.push({ place: `${node}: mode`, before: a.mode, after: b.mode });
}

function flatten(graph: GraphFile): { nodes: Map<string, FlatNode>; wires: Map<string, string> } {
  const nodes = new Map<string, FlatNode>();
  const wires = new Map<string, string>();
  const visit = (body: Body, prefix: string, inside: readonly string[]) => {
    for (const [target, source] of Object.entries(body.edges)) wires.set(prefix + target, prefix + source);
    for (const [id, entry] of Object.entries(body.nodes)) {
      nodes.set(prefix + id, { type: entry.type, settings: entry.settings ?? {}, mode: entry.mode });
      const name = entry.type.startsWith("graph:") ? entry.type.slice("graph:".length) : null;
      // A body that contains itself is an error of its own; here it must only not go on for ever.
      const inner = name === null || inside.includes(name) ? undefined : graph.graphs[name];
      if (inner && name !== null) visit(inner, `${prefix}${id}/`, [...inside, name]);
    }
  };
  visit(graph, "", []);
  return { nodes, wires };
}

function sorted(names: string[]): string[] {
  return [...new Set(names)].sort();
}

/** Equal as JSON values: the order of keys does not count. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => equal(one, b[i]));
  }
  const [left, right] = [Object.keys(a), Object.keys(b)];
  return left.length === right.length && left.every((name) => name in b && equal(a[name], b[name]));
}

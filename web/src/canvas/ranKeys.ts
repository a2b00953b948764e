import type { NodeRun, PlanReply } from "../api/schema";

/**
 * Which results of a run are out of date. The key of a node says everything that its result follows from: the run told
 * it, and the plan tells what it would be now.
 */
type Nodes = Readonly<Record<string, NodeRun>>;

const inside = new WeakMap<Nodes, Map<string, string[]>>();

/** Nodes with a key below each instance. */
function keyedInside(nodes: Nodes): Map<string, string[]> {
  let found = inside.get(nodes);
  if (found) return found;
  found = new Map();
  for (const [node, { key }] of Object.entries(nodes)) {
    if (key === undefined) continue;
    for (let at = node.lastIndexOf("/"); at > 0; at = node.lastIndexOf("/", at - 1)) {
      const outer = node.slice(0, at);
      found.set(outer, [...(found.get(outer) ?? []), node]);
    }
  }
  inside.set(nodes, found);
  return found;
}

/** Would the node, or one in it, give something else now than it gave in the run? False where that is not known. */
export function hasChanged(nodes: Nodes, plan: PlanReply | null, flat: string): boolean {
  if (!plan) return false;
  const other = (node: string): boolean => {
    const [before, now] = [nodes[node]?.key, plan.keys[node]];
    return before !== undefined && now !== undefined && before !== now;
  };
  return other(flat) || (keyedInside(nodes).get(flat) ?? []).some(other);
}

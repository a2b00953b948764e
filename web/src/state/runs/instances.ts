import type { NodeRun } from "../../api/schema";

/** Flat ids of the subgraph instances around these nodes, innermost first: "a/b/c" -> "a/b", "a". */
function containers(ids: readonly string[]): string[] {
  const found = new Set<string>();
  for (const id of ids) {
    for (let at = id.lastIndexOf("/"); at > 0; at = id.lastIndexOf("/", at - 1)) found.add(id.slice(0, at));
  }
  return [...found].sort((a, b) => b.split("/").length - a.split("/").length);
}

/** State of an instance: what the nodes below it add up to; the one that failed or runs speaks for all. */
function aggregate(instance: string, nodes: Readonly<Record<string, NodeRun>>): NodeRun | null {
  const prefix = `${instance}/`;
  const inner = Object.entries(nodes).flatMap(([id, run]) =>
    id.startsWith(prefix) && !id.slice(prefix.length).includes("/") ? [run] : [],
  );
  if (inner.length === 0) return null;
  const failed = inner.find((run) => run.state === "failed");
  if (failed) return failed;
  const running = inner.filter((run) => run.state === "running");
  // The longest work is the one to watch: the training loop, not the sampler that it calls.
  const main = running.sort((a, b) => (b.total ?? 0) - (a.total ?? 0))[0];
  if (main) return main;
  const states = new Set(inner.map((run) => run.state));
  const seconds = inner.reduce((sum, run) => sum + (run.seconds ?? 0), 0);
  const state = states.has("waiting")
    ? "waiting"
    : states.has("done")
      ? "done"
      : states.has("cached")
        ? "cached"
        : "skipped";
  return state === "done" ? { state, seconds } : { state };
}

/** The nodes with the states of all instances around the changed ones; what stays equal stays the same object. */
export function withInstances(
  before: Readonly<Record<string, NodeRun>>,
  nodes: Record<string, NodeRun>,
  changed: readonly string[],
): Record<string, NodeRun> {
  for (const id of containers(changed)) {
    const next = aggregate(id, nodes);
    if (next !== null) nodes[id] = sameRun(before[id], next) ? (before[id] as NodeRun) : next;
  }
  return nodes;
}

function sameRun(a: NodeRun | undefined, b: NodeRun): boolean {
  return (
    a !== undefined && a.state === b.state && a.value === b.value && a.total === b.total && a.seconds === b.seconds
  );
}

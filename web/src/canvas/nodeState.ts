import type { NodeRun, PlanReply, PlanRow } from "../api/schema";
import { useCheck } from "../state/check";
import { useNodeRun, useRuns } from "../state/run";
import { hasChanged } from "./ranKeys";

/** What a node says of itself beside its title. */
export type Mark = "waiting" | "running" | "done" | "cached" | "failed" | "skipped" | "stale";

export interface NodeMark {
  mark: Mark;
  run: NodeRun | null;
}

const plans = new WeakMap<PlanReply, Map<string, PlanRow["state"]>>();

/** What a run would do with a node, or with all nodes of an instance: cached only if every one of them is. */
export function plannedState(plan: PlanReply | null, flat: string): PlanRow["state"] | null {
  if (!plan) return null;
  let states = plans.get(plan);
  if (!states) {
    states = new Map();
    for (const { node, state } of plan.nodes) {
      states.set(node, state);
      for (let at = node.lastIndexOf("/"); at > 0; at = node.lastIndexOf("/", at - 1)) {
        const outer = node.slice(0, at);
        const known = states.get(outer);
        states.set(
          outer,
          known === undefined || known === state ? state : known === "runs" ? "runs" : merged(known, state),
        );
      }
    }
    plans.set(plan, states);
  }
  return states.get(flat) ?? null;
}

function merged(a: PlanRow["state"], b: PlanRow["state"]): PlanRow["state"] {
  if (a === "runs" || b === "runs") return "runs";
  return a === "unknown" || b === "unknown" ? "unknown" : "perhaps";
}

/** The state of a node: of the run that the canvas shows, else what is known before a run. */
export function markOf(
  run: NodeRun | undefined,
  planned: PlanRow["state"] | null,
  going: boolean,
  changed: boolean,
): NodeMark | null {
  const cached: NodeMark | null = planned === "cached" && !going ? { mark: "cached", run: null } : null;
  if (!run) return cached;
  if (going) return { mark: run.state, run };
  // A node that the run did not come to: what the plan says is more than "waiting".
  if (run.state === "waiting") return cached;
  const over = run.state === "done" || run.state === "cached";
  return { mark: over && changed ? "stale" : run.state, run };
}

function isGoing({ active, runs }: ReturnType<typeof useRuns.getState>): boolean {
  return active !== null && runs[active]?.ended === false;
}

export function useNodeMark(flat: string): NodeMark | null {
  const run = useNodeRun(flat);
  const going = useRuns(isGoing);
  const planned = useCheck((state) => plannedState(state.plan, flat));
  const plan = useCheck((state) => state.plan);
  const changed = useRuns(({ nodes }) => run !== undefined && hasChanged(nodes, plan, flat));
  return markOf(run, planned, going, changed);
}

const once = new WeakMap<string[], Set<string>>();

/** A node of a region that runs before it, once. */
export function useRunsOnce(flat: string): boolean {
  return useCheck(({ check }) => {
    if (!check) return false;
    let ids = once.get(check.once);
    if (!ids) {
      ids = new Set(check.once);
      once.set(check.once, ids);
    }
    return ids.has(flat);
  });
}

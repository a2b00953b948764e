import type { Job, PlanReply } from "../../api/schema";
import { useCheck } from "../check";
import { useQueue } from "../queue";
import { useTabs } from "../tabs";
import { useRuns } from "./store";

/**
 * A document that shows no run yet takes the one of its own content: the last that ran just this graph, else the one
 * that made all that a run would now take from the cache. So a graph that the command line ran shows what it gave.
 */

/** The last run of a graph; one that waits for its turn has nothing to show yet. */
export function runOf(hash: string | null, jobs: readonly Job[]): string | null {
  if (!hash) return null;
  const own = jobs.filter((job) => job.graph_hash === hash && job.status !== "queued");
  return own.sort((a, b) => b.created - a.created)[0]?.id ?? null;
}

/** The run that made everything that a plan asks for; null where something would run, or has other names there. */
export function makerOf(plan: PlanReply | null): string | null {
  if (!plan?.ok || plan.nodes.length === 0) return null;
  const counts = new Map<string, number>();
  for (const { node, state, made_by } of plan.nodes) {
    if (state !== "cached" || made_by?.node !== node) return null;
    counts.set(made_by.run, (counts.get(made_by.run) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

/** Look whenever more is known of the graph in front. Returns the way to stop. */
export function adoptRuns(): () => void {
  const look = () => {
    const { tab, shown, follow } = useRuns.getState();
    const { active } = useTabs.getState();
    if (tab === null || tab !== active || tab in shown) return;
    const { check, plan, pending } = useCheck.getState();
    if (pending || !check) return;
    const { jobs, known } = useQueue.getState();
    const found = known ? (runOf(check.hash, jobs) ?? makerOf(plan)) : null;
    if (found !== null) follow(found);
  };
  const stops = [useCheck.subscribe(look), useQueue.subscribe(look), useRuns.subscribe(look)];
  look();
  return () => {
    for (const stop of stops) stop();
  };
}

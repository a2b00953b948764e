import type { PlanReply } from "../api/schema";

export interface PlanCount {
  runs: number;
  cached: number;
  /** Of `runs`: those of which it is not known before the run. */
  perhaps: number;
  /** Step that a training goes on from. */
  checkpoint: number | null;
}

/** How much a run would do. A node whose state is not known yet counts as one that runs. */
export function countPlan(plan: PlanReply | null): PlanCount | null {
  if (!plan?.ok) return null;
  const count: PlanCount = { runs: 0, cached: 0, perhaps: 0, checkpoint: null };
  for (const row of plan.nodes) {
    if (row.state === "cached") count.cached += 1;
    else count.runs += 1;
    if (row.state === "perhaps" || row.state === "unknown") count.perhaps += 1;
    if (row.checkpoint !== undefined) count.checkpoint = Math.max(row.checkpoint, count.checkpoint ?? 0);
  }
  return count;
}

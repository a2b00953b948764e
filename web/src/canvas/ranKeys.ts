import type { PlanReply } from "../api/schema";
import { useCheck } from "../state/check";
import { useQueue } from "../state/queue";
import { useRuns } from "../state/run";

/**
 * Which results of a run are out of date. The key of a node says everything that its result follows from; the keys of a
 * run are those of the plan that was known while the document had the hash that the run was started with.
 */
type Keys = ReadonlyMap<string, string>;

const ran = new Map<string, Keys>();
const keysOf = new WeakMap<PlanReply, Keys>();

/** Node -> key. An instance has the keys of what is in it, one after the other. */
export function planKeys(plan: PlanReply): Keys {
  const known = keysOf.get(plan);
  if (known) return known;
  const keys = new Map<string, string>();
  for (const { node, key = "" } of plan.nodes) {
    keys.set(node, key);
    for (let at = node.lastIndexOf("/"); at > 0; at = node.lastIndexOf("/", at - 1)) {
      const outer = node.slice(0, at);
      keys.set(outer, `${keys.get(outer) ?? ""}${key}`);
    }
  }
  keysOf.set(plan, keys);
  return keys;
}

/** Would the node give something else now than it gave in the run? False where that is not known. */
export function hasChanged(job: string | null, plan: PlanReply | null, flat: string): boolean {
  const before = job === null ? undefined : ran.get(job)?.get(flat);
  const now = plan ? planKeys(plan).get(flat) : undefined;
  return Boolean(before && now && before !== now);
}

/** Keep the keys of the run that is shown, as soon as plan and hash of the same document are known. Returns the way to stop. */
export function keepKeys(): () => void {
  const look = () => {
    const { active } = useRuns.getState();
    const { check, pending, plan } = useCheck.getState();
    if (active === null || pending || !plan || !check?.hash || ran.has(active)) return;
    const job = useQueue.getState().jobs.find((one) => one.id === active);
    if (job?.graph_hash === check.hash) ran.set(active, planKeys(plan));
  };
  const stops = [useRuns.subscribe(look), useCheck.subscribe(look), useQueue.subscribe(look)];
  look();
  return () => {
    for (const stop of stops) stop();
  };
}

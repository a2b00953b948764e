import { expect, test } from "vitest";
import type { PlanReply, PlanRow } from "../api/schema";
import { countPlan } from "./plan";

const row = (node: string, state: PlanRow["state"], more: Partial<PlanRow> = {}): PlanRow => ({
  node,
  type: "a.b",
  when: "once",
  state,
  ...more,
});
const plan = (...nodes: PlanRow[]): PlanReply => ({ ok: true, targets: [], nodes, keys: {}, problems: [] });

test("what is not known to be cached is said to run", () => {
  const rows = [row("a", "cached"), row("b", "runs"), row("c", "unknown"), row("d", "perhaps")];
  expect(countPlan(plan(...rows))).toEqual({ runs: 3, cached: 1, perhaps: 2, checkpoint: null });
});

test("a training that goes on names its furthest checkpoint, also that of step 0", () => {
  expect(countPlan(plan(row("t", "runs", { checkpoint: 0 })))?.checkpoint).toBe(0);
  expect(countPlan(plan(row("t", "runs", { checkpoint: 40 }), row("u", "runs", { checkpoint: 10 })))?.checkpoint).toBe(
    40,
  );
});

test("a graph with errors has no plan", () => {
  expect(countPlan({ ...plan(), ok: false })).toBeNull();
  expect(countPlan(null)).toBeNull();
});

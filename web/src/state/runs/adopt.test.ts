import { expect, it } from "vitest";
import type { Job, PlanReply, PlanRow } from "../../api/schema";
import { makerOf, runOf } from "./adopt";

const job = (id: string, graph_hash: string, created: number, status: Job["status"] = "done") =>
  ({ id, graph_hash, created, status }) as Job;
const row = (node: string, run: string | null, of = node): PlanRow => ({
  node,
  type: "a.b",
  when: "once",
  state: run === null ? "runs" : "cached",
  ...(run !== null && { made_by: { run, node: of } }),
});
const plan = (...nodes: PlanRow[]): PlanReply => ({ ok: true, targets: [], nodes, keys: {}, problems: [] });

it("a graph shows the last run of just its content", () => {
  const jobs = [job("old", "h", 1), job("new", "h", 3), job("other", "g", 4), job("waits", "h", 5, "queued")];
  expect(runOf("h", jobs)).toBe("new");
  expect(runOf("x", jobs)).toBeNull();
  expect(runOf(null, [job("cli", "", 1)])).toBeNull();
  expect(runOf("", [job("cli", "", 1)])).toBeNull();
});

it("else the run that made all that it would take from the cache, under the same names", () => {
  expect(makerOf(plan(row("a", "one"), row("b", "two"), row("c", "two")))).toBe("two");
  expect(makerOf(plan(row("a", "one"), row("b", null)))).toBeNull();
  expect(makerOf(plan(row("a", "one", "elsewhere")))).toBeNull();
  expect(makerOf(plan())).toBeNull();
  expect(makerOf({ ...plan(row("a", "one")), ok: false })).toBeNull();
  expect(makerOf(null)).toBeNull();
});

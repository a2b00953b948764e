import { expect, test } from "vitest";
import type { NodeRun, PlanReply, PlanRow } from "../api/schema";
import { markOf, plannedState } from "./nodeState";
import { planKeys } from "./ranKeys";

const plan = (rows: Record<string, PlanRow["state"]>): PlanReply => ({
  ok: true,
  targets: [],
  problems: [],
  nodes: Object.entries(rows).map(([node, state]) => ({ node, state, type: "t", when: "once" })),
});

test("an instance is cached only if everything in it is", () => {
  const mixed = plan({
    "draw/a": "cached",
    "draw/b": "runs",
    "all/a": "cached",
    "all/in/b": "cached",
    open: "unknown",
  });
  expect(plannedState(mixed, "draw")).toBe("runs");
  expect(plannedState(mixed, "all")).toBe("cached");
  expect(plannedState(mixed, "all/in")).toBe("cached");
  expect(plannedState(mixed, "draw/a")).toBe("cached");
  expect(plannedState(mixed, "open")).toBe("unknown");
  expect(plannedState(mixed, "nowhere")).toBeNull();
  expect(plannedState(plan({ "x/a": "cached", "x/b": "perhaps" }), "x")).toBe("perhaps");
});

const done: NodeRun = { state: "done", seconds: 2 };

test("a result that would be another one now is marked, but not while a run goes on", () => {
  expect(markOf(done, "runs", false, true)?.mark).toBe("stale");
  expect(markOf(done, "runs", false, false)?.mark).toBe("done");
  expect(markOf(done, "runs", true, true)?.mark).toBe("done");
  expect(markOf({ state: "failed" }, "runs", false, true)?.mark).toBe("failed");
});

test("before a run only what is cached is marked", () => {
  expect(markOf(undefined, "cached", false, false)?.mark).toBe("cached");
  expect(markOf(undefined, "runs", false, false)).toBeNull();
  expect(markOf(undefined, "cached", true, false)).toBeNull();
  expect(markOf({ state: "waiting" }, "runs", false, false)).toBeNull();
  expect(markOf({ state: "waiting" }, "runs", true, false)?.mark).toBe("waiting");
});

test("an instance changes with anything in it", () => {
  const row = (node: string, key: string): PlanRow => ({ node, key, type: "t", state: "runs", when: "once" });
  const reply = (...nodes: PlanRow[]): PlanReply => ({ ok: true, targets: [], problems: [], nodes });
  const one = planKeys(reply(row("a", "1"), row("in/x", "2"), row("in/deep/y", "3")));
  const two = planKeys(reply(row("a", "1"), row("in/x", "2"), row("in/deep/y", "4")));
  expect(one.get("a")).toBe(two.get("a"));
  expect(one.get("in/x")).toBe(two.get("in/x"));
  expect(one.get("in")).not.toBe(two.get("in"));
  expect(one.get("in/deep")).not.toBe(two.get("in/deep"));
});

import { expect, test } from "vitest";
import type { NodeRun, PlanReply, PlanRow } from "../api/schema";
import { markOf, plannedState } from "./nodeState";
import { hasChanged } from "./ranKeys";

const plan = (rows: Record<string, PlanRow["state"]>): PlanReply => ({
  ok: true,
  targets: [],
  problems: [],
  keys: {},
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

test("a node has changed if the plan gives it another key than the run did, an instance with anything in it", () => {
  const node = (key?: string): NodeRun => ({ state: "done", ...(key && { key }) });
  const nodes = {
    a: node("1"),
    in: node(),
    "in/x": node("2"),
    "in/deep": node(),
    "in/deep/y": node("3"),
    open: node(),
  };
  const now = (keys: Record<string, string>): PlanReply => ({ ...plan({}), keys });
  const same = { a: "1", "in/x": "2", "in/deep/y": "3", open: "9" };
  const changed = (keys: Record<string, string>) => Object.keys(nodes).filter((id) => hasChanged(nodes, now(keys), id));
  expect(changed(same)).toEqual([]);
  expect(changed({ ...same, "in/deep/y": "4" })).toEqual(["in", "in/deep", "in/deep/y"]);
  expect(changed({ ...same, a: "4" })).toEqual(["a"]);
  expect(changed({})).toEqual([]);
  expect(hasChanged(nodes, null, "a")).toBe(false);
});

import { expect, it } from "vitest";
import type { Job, Problem } from "../api/schema";
import { groupProblems, placeOf, textOf } from "./problemGroups";

const problem = (code: string, more: Partial<Problem> = {}): Problem => ({
  code,
  message: `${code} here`,
  severity: "error",
  ...more,
});

it("puts what stops a run first and leaves empty groups out", () => {
  const groups = groupProblems({
    check: [problem("W_A", { severity: "warning" }), problem("E_A", { node: "x", port: "in" })],
    job: undefined,
    nodes: {},
    packs: [problem("E_PACK")],
  });
  expect(groups.map(({ source, problems }) => [source, problems.map((one) => one.code)])).toEqual([
    ["errors", ["E_A"]],
    ["warnings", ["W_A"]],
    ["packs", ["E_PACK"]],
  ]);
});

it("lists a failure inside a subgraph once, at the node, and the reason of the job beside it", () => {
  const inner = problem("E_LOSS_NAN", { node: "a/train" });
  const job = { reason: problem("E_KILLED") } as Job;
  const nodes = {
    a: { state: "failed" as const, problem: inner },
    "a/train": { state: "failed" as const, problem: inner },
  };
  const [group] = groupProblems({ check: [], job, nodes, packs: [] });
  expect(group?.problems.map(({ code, node }) => [code, node])).toEqual([
    ["E_KILLED", undefined],
    ["E_LOSS_NAN", "a/train"],
  ]);
});

it("lists what failed in a step once, at the node and not at the regions and instances around it", () => {
  const inner = problem("E_BATCH", { node: "watch/sample" });
  const nodes = {
    train: { state: "failed" as const, problem: inner },
    watch: { state: "failed" as const, problem: inner },
    "watch/canvas": { state: "done" as const },
  };
  const [group] = groupProblems({ check: [], job: undefined, nodes, packs: [] });
  expect(group?.problems.map(({ code, node }) => [code, node])).toEqual([["E_BATCH", "watch/sample"]]);
});

it("keeps where in the code a node failed, in the list and in the text", () => {
  const failed = problem("E_RUN", { node: "own" });
  const nodes = { own: { state: "failed" as const, problem: failed, traceback: "Traceback:\n  line 3\n" } };
  const [group] = groupProblems({ check: [], job: undefined, nodes, packs: [] });
  expect(group?.problems[0]?.traceback).toContain("line 3");
  expect(textOf({ ...failed, traceback: "Traceback:\n  line 3\n" })).toBe(
    "E_RUN own: E_RUN here\nTraceback:\n  line 3",
  );
});

it("does not repeat a reason that a node tells already", () => {
  const failed = problem("E_DISK", { node: "save" });
  const job = { reason: { ...failed } } as Job;
  const [group] = groupProblems({ check: [], job, nodes: { save: { state: "failed", problem: failed } }, packs: [] });
  expect(group?.problems).toHaveLength(1);
});

it("is copied as text with place and remedy", () => {
  const one = problem("E_TYPE", { node: "a", port: "x", hint: "use another" });
  expect(placeOf(one)).toBe("a.x");
  expect(textOf(one)).toBe("E_TYPE a.x: E_TYPE here\n  -> use another");
  expect(textOf(problem("E_Y"))).toBe("E_Y: E_Y here");
});

import { describe, expect, it } from "vitest";
import type { Job, RunEvent, Snapshot } from "../../api/schema";
import { applyEvents, EMPTY_RUN, fromSnapshot, type RunModel, settle, sinceOf } from "./model";

/** A run as the engine tells it: caches, a training with progress, metrics, previews and a sampler inside a subgraph. */
function recorded(): RunEvent[] {
  const list: Omit<RunEvent, "seq" | "run" | "t">[] = [
    { kind: "run_started", nodes: 6, targets: ["save"] },
    { kind: "node_cached", node: "data" },
    { kind: "node_started", node: "model" },
    { kind: "log", node: "model", message: "read 12 files", level: "info" },
    { kind: "node_done", node: "model", seconds: 2.5 },
    { kind: "node_started", node: "train" },
  ];
  for (let step = 1; step <= 30; step++) {
    list.push({ kind: "metric", node: "train", step, values: { loss: 1 / step, lr: 0.001 } });
    if (step % 10 === 0) {
      list.push({ kind: "progress", node: "watch/sample", value: 1, total: 2 });
      list.push({ kind: "progress", node: "watch/sample", value: 2, total: 2 });
      list.push({ kind: "artifact", node: "log", uri: `out:p-${step}.png`, type: "image", width: 64, step });
      list.push({ kind: "metric", node: "check", step, values: { validation: 2 / step, broken: null } });
      list.push({ kind: "progress", node: "train", value: step, total: 30, loss: 1 / step, lr: 0.001 });
      list.push({
        kind: "checkpoint",
        node: "train",
        step,
        uri: `cache:train/k/step-${step}`,
        forgotten: step > 20 ? [step - 20] : [],
      });
    }
  }
  list.push({ kind: "node_done", node: "train", seconds: 60 });
  list.push({
    kind: "node_failed",
    node: "save",
    problem: { code: "E_DISK", message: "full", severity: "error", node: "save" },
    traceback: "Traceback: here",
  });
  list.push({ kind: "node_skipped", node: "after" });
  list.push({ kind: "run_done", status: "failed", seconds: 63 });
  return list.map((event, index) => ({ ...event, run: "r", seq: index + 1, t: 100 + index }) as RunEvent);
}

/** The state without the identity of its objects. */
const plain = (model: RunModel) => JSON.parse(JSON.stringify(model)) as unknown;

/** Numbers in [0, 1) that are the same at every run of the test. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe("applyEvents", () => {
  const events = recorded();
  const whole = applyEvents(EMPTY_RUN, events);

  it("says what a run did", () => {
    expect(whole.nodes).toMatchObject({
      data: { state: "cached" },
      model: { state: "done", seconds: 2.5 },
      train: { state: "done", seconds: 60, value: 30, total: 30, numbers: { lr: 0.001 } },
      "watch/sample": { state: "done", value: 2, total: 2 },
      watch: { state: "done" },
      save: { state: "failed", problem: { code: "E_DISK" }, traceback: "Traceback: here" },
      after: { state: "skipped" },
    });
    expect(whole.nodes.train?.checkpoints).toEqual([
      { step: 20, uri: "cache:train/k/step-20" },
      { step: 30, uri: "cache:train/k/step-30" },
    ]);
    expect(whole.artifacts.map(({ uri, step }) => [uri, step])).toEqual([
      ["out:p-10.png", 10],
      ["out:p-20.png", 20],
      ["out:p-30.png", 30],
    ]);
    expect(whole.log).toEqual([{ seq: 4, t: 103, node: "model", level: "info", message: "read 12 files" }]);
    expect(whole.curves.train?.loss?.steps).toHaveLength(30);
    expect(whole.curves.check?.validation).toEqual({ steps: [10, 20, 30], values: [0.2, 0.1, 2 / 30] });
    expect(whole.curves.check?.broken).toBeUndefined();
    expect(whole.ended).toBe(true);
  });

  it("gives the same from any split of the events, with repeated and replayed parts", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const next = random(seed);
      let model = EMPTY_RUN;
      for (let at = 0; at < events.length; ) {
        const length = 1 + Math.floor(next() * 9);
        // A replay begins somewhere before; a duplicate is a whole batch twice.
        const begin = Math.max(0, at - Math.floor(next() * 12));
        const batch = events.slice(begin, at + length);
        model = applyEvents(model, batch);
        if (next() < 0.3) model = applyEvents(model, batch);
        at += length;
      }
      expect(plain(model)).toEqual(plain(whole));
    }
  });

  it("goes on from a snapshot and a series that are of different age", () => {
    for (const [seq, seriesSeq] of [
      [20, 12],
      [12, 20],
      [0, 30],
      [events.length, 3],
    ] as const) {
      const base = applyEvents(EMPTY_RUN, events.slice(0, seq));
      const curves = applyEvents(EMPTY_RUN, events.slice(0, seriesSeq)).curves;
      const snapshot: Snapshot = {
        job: { status: "running" } as Job,
        seq,
        nodes: { ...base.nodes },
        artifacts: [...base.artifacts],
        log: [...base.log],
        pictures: {},
      };
      const series = Object.fromEntries(
        Object.entries(curves).map(([node, own]) => [
          node,
          Object.fromEntries(
            Object.entries(own).map(([name, { steps, values }]) => [
              name,
              steps.map((step, index): [number, number] => [step, values[index] ?? 0]),
            ]),
          ),
        ]),
      );
      const model = fromSnapshot(snapshot, { seq: seriesSeq, series });
      expect(sinceOf(model)).toBe(Math.min(seq, seriesSeq));
      const after = applyEvents(model, events.slice(sinceOf(model)));
      expect(plain({ ...after, ended: true })).toEqual(plain(whole));
    }
  });

  it("makes new objects for what changed and for nothing else", () => {
    const before = applyEvents(EMPTY_RUN, events.slice(0, 7));
    const after = applyEvents(before, [
      { run: "r", seq: 8, t: 1, kind: "progress", node: "train", value: 3, total: 30 },
    ]);
    expect(after.nodes.train).not.toBe(before.nodes.train);
    expect(after.nodes.data).toBe(before.nodes.data);
    expect(after.curves).toBe(before.curves);
    expect(after.log).toBe(before.log);
    expect(applyEvents(after, events.slice(0, 7))).toBe(after);
  });

  it("shows at an instance what the nodes inside of it do, the longest work first", () => {
    const at = (seq: number, node: string, value: number, total: number): RunEvent => ({
      run: "r",
      seq,
      t: 0,
      kind: "progress",
      node,
      value,
      total,
    });
    const model = applyEvents(EMPTY_RUN, [at(1, "a/train", 5, 100), at(2, "a/watch/sample", 1, 20)]);
    expect(model.nodes["a/watch"]).toMatchObject({ state: "running", value: 1, total: 20 });
    expect(model.nodes.a).toMatchObject({ state: "running", value: 5, total: 100 });
  });

  it("does not let nodes of a killed run go on for ever", () => {
    const running = applyEvents(EMPTY_RUN, events.slice(0, 8));
    expect(running.nodes.train?.state).toBe("running");
    const over = settle(running);
    expect(over.nodes.train?.state).toBe("waiting");
    expect(settle(over)).toBe(over);
  });

  it("has the curve of the steps that a training goes on from", () => {
    const model = applyEvents(EMPTY_RUN, [
      {
        run: "r",
        seq: 1,
        t: 0,
        kind: "curve",
        node: "train",
        series: {
          loss: [
            [1, 0.5],
            [2, 0.4],
          ],
          lr: [[1, null]],
        },
      },
      { run: "r", seq: 2, t: 0, kind: "metric", node: "train", step: 3, values: { loss: 0.3 } },
    ]);
    expect(model.curves.train).toEqual({ loss: { steps: [1, 2, 3], values: [0.5, 0.4, 0.3] } });
  });
});

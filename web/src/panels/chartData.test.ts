import { describe, expect, it } from "vitest";
import type { Artifact, NodeRun } from "../api/schema";
import { aligned, checkpointsOf, cluster, linesOf, MOST_POINTS, markersOf, rowsOf, seriesOf } from "./chartData";
import { moved, zoomed } from "./chartView";

const steps = Array.from({ length: 100 }, (_, index) => index + 1);
const curves = {
  train: {
    lr: { steps, values: steps.map(() => 1e-3) },
    loss: { steps, values: steps.map((step) => 1 / step) },
  },
  check: { validation: { steps: [50, 100], values: [0.3, 0.2] } },
};
const runs = [
  { job: "a", title: "First", curves },
  { job: "b", title: "Second", curves: { train: { loss: curves.train.loss } } },
];

describe("seriesOf", () => {
  it("puts the loss first, rates last on an axis of their own, and overlaid runs behind", () => {
    const series = seriesOf(runs);
    expect(series.map(({ label, axis, overlaid }) => [label, axis, overlaid])).toEqual([
      ["train.loss (First)", "value", false],
      ["check.validation (First)", "value", false],
      ["train.lr (First)", "rate", false],
      ["train.loss (Second)", "value", true],
    ]);
    expect(new Set(series.map((one) => one.colour)).size).toBe(4);
    expect(seriesOf(runs.slice(0, 1))[0]?.label).toBe("train.loss");
    const groups = { train: { "lr/lora": curves.train.lr, "lr/text_lora": curves.train.lr } };
    expect(seriesOf([{ job: "c", title: "Third", curves: groups }]).map(({ axis }) => axis)).toEqual(["rate", "rate"]);
  });
});

describe("linesOf", () => {
  const options = { smoothing: 0.9, log: false, view: null };

  it("draws the raw curve under the smoothed one; rates and short curves as they are", () => {
    const lines = linesOf(seriesOf(runs.slice(0, 1)), options);
    expect(lines.map(({ series, raw }) => [series.name, raw])).toEqual([
      ["train.loss", true],
      ["train.loss", false],
      ["check.validation", false],
      ["train.lr", false],
    ]);
    expect(lines[3]?.curve.values).toEqual(curves.train.lr.values);
  });

  it("does not change the smoothed line by zooming in", () => {
    const series = seriesOf(runs.slice(0, 1));
    const all = linesOf(series, options)[1]?.curve;
    const part = linesOf(series, { ...options, view: [40, 60] })[1]?.curve;
    expect(part?.steps[0]).toBe(39);
    expect(part?.values[0]).toBe(all?.values[38]);
  });

  it("draws at most 2,000 points a line", () => {
    const many = Array.from({ length: 30_000 }, (_, index) => index);
    const long = [{ job: "a", title: "", curves: { n: { x: { steps: many, values: many } } } }];
    for (const line of linesOf(seriesOf(long), options))
      expect(line.curve.steps.length).toBeLessThanOrEqual(MOST_POINTS);
  });

  it("leaves out what a logarithm has no place for", () => {
    const some = [{ job: "a", title: "", curves: { n: { x: { steps: [1, 2, 3], values: [1, 0, -1] } } } }];
    expect(linesOf(seriesOf(some), { ...options, log: true })[0]?.curve).toEqual({ steps: [1], values: [1] });
  });
});

it("aligns lines of different steps without inventing values", () => {
  const [loss, validation] = seriesOf([
    {
      job: "a",
      title: "",
      curves: { n: { a: { steps: [1, 3], values: [5, 6] }, b: { steps: [2, 3], values: [7, 8] } } },
    },
  ]);
  const lines = [loss, validation].flatMap((series) => (series ? [{ series, raw: false, curve: series.curve }] : []));
  expect(aligned(lines)).toEqual([
    [1, 2, 3],
    [5, undefined, 6],
    [undefined, 7, 8],
  ]);
});

it("marks steps at which pictures, weights and checkpoints were written", () => {
  const artifact = (uri: string, type: Artifact["type"], step?: number): Artifact => ({
    node: "n",
    uri,
    type,
    seq: 1,
    t: 1,
    ...(step !== undefined && { step }),
  });
  const artifacts = [
    artifact("out:c", "weights", 500),
    artifact("out:b", "image", 250),
    artifact("out:a", "image", 250),
    artifact("out:end", "image"),
    artifact("out:t", "table", 250),
  ];
  const loop: NodeRun = { state: "running", checkpoints: [{ step: 500, uri: "cache:train/k/step-500" }] };
  const checkpoints = checkpointsOf({ "sub/train": loop, sub: loop, other: { state: "done" } });
  const markers = markersOf(artifacts, checkpoints);
  expect(markers.map(({ step, kind, uris, pictures }) => [step, kind, uris, pictures.length])).toEqual([
    [250, "image", ["out:b", "out:a"], 2],
    [500, "checkpoint", ["cache:train/k/step-500"], 0],
    [500, "weights", ["out:c"], 0],
  ]);
  const [first, second] = markers;
  if (!first || !second) throw new Error("two markers");
  const placed = [
    { x: 10, marker: first },
    { x: 20, marker: second },
    { x: 60, marker: second },
  ];
  expect(cluster(placed, 26).map(({ x, markers }) => [x, markers.length])).toEqual([
    [10, 2],
    [60, 1],
  ]);
});

it("gives a table of all series, newest first, with every value that a step has", () => {
  const written = markersOf([], [{ step: 33, uri: "cache:step-33" }]);
  const rows = rowsOf(seriesOf(runs.slice(0, 1)), written);
  expect(rows[0]).toEqual({
    step: 100,
    values: { "a train.loss": 0.01, "a check.validation": 0.2, "a train.lr": 1e-3 },
    uris: [],
  });
  expect(rows.find(({ step }) => step === 33)).toEqual({
    step: 33,
    values: { "a train.loss": 1 / 33, "a train.lr": 1e-3 },
    uris: ["cache:step-33"],
  });
  expect(rows.length).toBeLessThanOrEqual(200);
});

it("zooms around the middle, within the ends, and back to all", () => {
  expect(zoomed(null, [0, 100], 0.5)).toEqual([25, 75]);
  expect(zoomed([0, 20], [0, 100], 2)).toEqual([0, 40]);
  expect(zoomed([25, 75], [0, 100], 2)).toBeNull();
  expect(moved([25, 75], [0, 100], 0.5)).toEqual([50, 100]);
  expect(moved([50, 100], [0, 100], 0.5)).toEqual([50, 100]);
  expect(moved(null, [0, 100], 0.5)).toBeNull();
});

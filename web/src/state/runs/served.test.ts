import { expect, it } from "vitest";
import type { NodeRun } from "../../api/schema";
import { EMPTY_RUN, type RunModel } from "./model";
import { makersOf, viewOf } from "./served";

const run = (nodes: Record<string, NodeRun>, more: Partial<RunModel> = {}): RunModel => ({
  ...EMPTY_RUN,
  ended: true,
  nodes,
  ...more,
});
const cached = (by: string, node: string): NodeRun => ({ state: "cached", made_by: { run: by, node } });
const curve = (value: number) => ({ loss: { steps: [1], values: [value] } });
const line = (message: string) => ({ seq: 1, t: 0, level: "info", message });

it("is the run itself where nothing came from the cache", () => {
  const model = run({ a: { state: "done" } });
  expect(viewOf("r", { r: model })).toBe(model);
  expect(makersOf(model)).toEqual([]);
  expect(viewOf("r", {})).toBeUndefined();
});

it("puts the run over its makers, also over those of its makers; what the run says itself counts", () => {
  const models = {
    r: run({ grid: { state: "done", seconds: 1 }, save: cached("m", "save") }, { log: [line("now")] }),
    m: run(
      {
        save: { state: "done", seconds: 9 },
        grid: { state: "done", seconds: 7 },
        bad: { state: "failed" },
        data: cached("n", "data"),
      },
      { curves: { train: curve(1) }, log: [line("then")], pictures: { grid: "old", data: "m" } },
    ),
    n: run({ data: { state: "done", seconds: 5 } }, { curves: { data: curve(2) } }),
  };
  const view = viewOf("r", models);
  expect(view?.nodes).toEqual({
    grid: { state: "done", seconds: 1 },
    save: cached("m", "save"),
    data: { state: "cached" },
  });
  expect(Object.keys(view?.curves ?? {}).sort()).toEqual(["data", "train"]);
  expect(view?.log.map((one) => one.message)).toEqual(["then", "now"]);
  expect(viewOf("r", models)).toBe(view);
  expect(viewOf("r", { ...models, n: run({}) })).not.toBe(view);
});

it("takes of a run of another graph the curve of the result alone, and does not go round in circles", () => {
  const models = {
    r: run({ mine: cached("m", "theirs") }),
    m: run({ theirs: { state: "done" }, mine: cached("r", "mine") }, { curves: { theirs: curve(3), mine: curve(4) } }),
  };
  expect(viewOf("r", models)).toMatchObject({ nodes: { mine: cached("m", "theirs") }, curves: { mine: curve(3) } });
});

import { expect, it } from "vitest";
import type { Artifact, GraphFile, NodeSpec, Specs } from "../api/schema";
import { indexSpecs } from "../graph/specs";
import { madeOf } from "./madeOf";
import { gridMove, nameOf } from "./pictureFiles";
import { picturesOf } from "./pictures";

const image = (uri: string, t: number): Artifact => ({
  node: "log",
  uri,
  type: "image",
  seq: t,
  t,
  width: 64,
  height: 32,
});

it("counts a picture that was written again once, as it is now", () => {
  const found = picturesOf([image("out:a.png", 1), image("out:b.png", 2), image("out:a.png", 3)]);
  expect(found.map(({ uri, t }) => [uri, t])).toEqual([
    ["out:b.png", 2],
    ["out:a.png", 3],
  ]);
  expect(picturesOf([{ ...image("out:w", 1), type: "weights" }])).toEqual([]);
  expect(picturesOf([{ ...image("out:nan.png", 1), not_finite: true }])[0]?.notFinite).toBe(true);
  expect(found[0]?.notFinite).toBeUndefined();
});

it("names a file without its folders and its root", () => {
  expect(nameOf("out:x/y z.png")).toBe("y z.png");
  expect(nameOf("out:a.png")).toBe("a.png");
});

it("moves in a grid by arrows and stays where nothing follows", () => {
  const move = (key: string, at: number) => gridMove(key, at, 10, 4);
  expect(move("ArrowRight", 0)).toBe(1);
  expect(move("ArrowDown", 1)).toBe(5);
  expect(move("ArrowDown", 7)).toBeNull();
  expect(move("ArrowUp", 2)).toBeNull();
  expect(move("End", 2)).toBe(9);
  expect(move("Home", 9)).toBe(0);
  expect(move("PageUp", 9)).toBe(1);
  expect(move("a", 3)).toBeNull();
});

it("reads prompts first, then seeds, then what a node shows on its face, inside of subgraphs too", () => {
  const spec = (id: string, hints: Record<string, object>) =>
    ({
      id,
      schema: {
        properties: Object.fromEntries(Object.entries(hints).map(([name, hint]) => [name, { "x-widget": hint }])),
      },
    }) as unknown as NodeSpec;
  const specs = indexSpecs({
    specs: [
      spec("text.encode", { text: { kind: "prompt" }, clip_skip: { kind: "auto", advanced: true } }),
      spec("sample.denoise", { steps: { kind: "slider", primary: true }, seed: { kind: "seed" } }),
    ],
    types: [],
    accepts: {},
    codes: {},
    problems: [],
    hash: "",
  } satisfies Specs);
  const inner = { nodes: { go: { type: "sample.denoise", version: 1, settings: { steps: 20, seed: 7 } } } };
  const graph = {
    nodes: {
      words: { type: "text.encode", version: 1, settings: { text: "a cat", clip_skip: 2 } },
      draw: { type: "graph:draw", version: 1 },
    },
    graphs: { draw: inner },
  } as unknown as GraphFile;
  expect(madeOf(graph, specs).map(({ place, value }) => [place, value])).toEqual([
    ["words.text", "a cat"],
    ["draw/go.seed", "7"],
    ["draw/go.steps", "20"],
  ]);
});

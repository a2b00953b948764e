import { describe, expect, it } from "vitest";
import type { Check, GraphFile } from "../api/schema";
import { canConnect, legalSources, legalTargets } from "./connect";
import { addNode, collapse, connect } from "./edit";
import { realSpecs } from "./fixtures/specs";
import { emptyGraph } from "./normal";
import { typeFits } from "./specs";

// That the rule is the engine's is shown in tests/server/test_editor_wires.py; here: what is the editor's own.

const specs = realSpecs();

function drawn(nodes: Record<string, [type: string, inside?: string]>, edges: Record<string, string> = {}): GraphFile {
  let graph = emptyGraph();
  for (const [id, [type, inside]] of Object.entries(nodes)) {
    graph = addNode(graph, [], specs.byId.get(type) ?? type, { id, at: [0, 0], inside }).graph;
  }
  for (const [target, source] of Object.entries(edges)) graph = connect(graph, [], source, target, { specs });
  return graph;
}
function checked(ports: Record<string, string>): Check {
  return { ok: true, hash: null, problems: [], ports, once: [], facts: {} };
}
const why = (graph: GraphFile, source: string, target: string, check?: Check) => {
  const verdict = canConnect(graph, [], source, target, { specs, check });
  return verdict.ok ? null : verdict.why;
};

describe("canConnect", () => {
  it("says both types when they do not fit", () => {
    const graph = drawn({ noise: ["noise.gaussian"], vae: ["image.decode"] });
    expect(canConnect(graph, [], "noise.out", "vae.vae", { specs })).toEqual({
      ok: false,
      why: "graph.connect.type",
      values: { wanted: "Vae", given: "Noise" },
    });
  });

  it("lets an int feed a float setting and nothing else", () => {
    const graph = drawn({ number: ["value.int"], words: ["value.text"], offset: ["noise.offset"] });
    expect(why(graph, "number.out", "offset.strength")).toBeNull();
    expect(why(graph, "words.out", "offset.strength")).toBe("graph.connect.type");
  });

  it("keeps what lives in a region inside of it", () => {
    const graph = drawn({ train: ["train.loop"], mean: ["loss.mean", "train"], sum: ["loss.weighted_sum"] });
    expect(canConnect(graph, [], "mean.out", "sum.losses", { specs })).toEqual({
      ok: false,
      why: "graph.connect.scope",
      values: { region: "train" },
    });
    expect(why(graph, "mean.out", "train.loss")).toBeNull();
    expect(why(graph, "mean.out", "train.loss.0")).toBeNull();
  });

  it("lets an entry feed an exit of its own region, and no output feed its own node", () => {
    const graph = drawn({ repeat: ["flow.repeat"], dot: ["flow.reroute"] });
    expect(why(graph, "repeat.state", "repeat.next")).toBeNull();
    expect(why(graph, "repeat.out", "repeat.state")).toBe("graph.connect.self");
    expect(why(graph, "dot.out", "dot.value")).toBe("graph.connect.self");
  });

  it("finds a circle through a region that waits for what its nodes read", () => {
    const graph = drawn(
      { repeat: ["flow.repeat"], inner: ["flow.reroute", "repeat"], outer: ["flow.reroute"] },
      { "outer.value": "repeat.out" },
    );
    expect(why(graph, "outer.out", "inner.value")).toBe("graph.connect.cycle");
  });

  it("sees no circle where a subgraph leads an input past an output", () => {
    let graph = drawn(
      {
        a: ["flow.reroute"],
        b: ["flow.reroute"],
        start: ["value.text"],
        middle: ["flow.reroute"],
        end: ["flow.reroute"],
      },
      { "a.value": "start.out", "middle.value": "a.out", "end.value": "b.out" },
    );
    graph = collapse(graph, [], ["a", "b"], { name: "both", specs }).graph;
    graph = {
      ...graph,
      graphs: {
        both: {
          ...graph.graphs.both!,
          interface: {
            inputs: { ...graph.graphs.both!.interface.inputs, second: ["b.value"] },
            outputs: graph.graphs.both!.interface.outputs ?? {},
          },
        },
      },
    };
    expect(why(graph, "middle.out", "both.second")).toBeNull();
    expect(why(graph, "middle.out", "both.value")).toBe("graph.connect.cycle");
  });

  it("binds a variable by what the other input of the node brings", () => {
    const graph = drawn(
      { pick: ["flow.switch"], words: ["value.text"], more: ["value.text"], number: ["value.int"] },
      { "pick.on_true": "words.out" },
    );
    const check = checked({ "words.out": "str", "more.out": "str", "number.out": "int" });
    expect(why(graph, "number.out", "pick.on_false", check)).toBe("graph.connect.type");
    expect(why(graph, "more.out", "pick.on_false", check)).toBeNull();
    expect(why(graph, "number.out", "pick.on_true", check)).toBeNull();
  });

  it("makes a variable a bundle at all its ports, or at none", () => {
    const graph = drawn(
      { pick: ["flow.switch"], load: ["model.load"], more: ["model.load"] },
      { "pick.on_true": "load.denoiser" },
    );
    const check = checked({ "load.denoiser": "Denoiser", "more.denoiser": "Denoiser", "more.model": "Model" });
    expect(why(graph, "more.model", "pick.on_false", check)).toBe("graph.connect.type");
    expect(why(graph, "more.denoiser", "pick.on_false", check)).toBeNull();
    const whole = connect(graph, [], "load.model", "pick.on_true", { specs });
    const now = checked({ "load.model": "Model", "more.denoiser": "Denoiser", "more.model": "Model" });
    expect(why(whole, "more.denoiser", "pick.on_false", now)).toBe("graph.connect.type");
    expect(why(whole, "more.model", "pick.on_false", now)).toBeNull();
  });

  it("goes by the types that the check resolved", () => {
    const graph = drawn({ dot: ["flow.reroute"], decode: ["image.decode"] });
    expect(why(graph, "dot.out", "decode.vae")).toBeNull();
    expect(why(graph, "dot.out", "decode.vae", checked({ "dot.out": "Noise" }))).toBe("graph.connect.type");
  });

  it("does not wire what a subgraph is given from outside", () => {
    let graph = drawn({ words: ["value.text"], dot: ["flow.reroute"] }, { "dot.value": "words.out" });
    graph = collapse(graph, [], ["dot"], { name: "part", specs }).graph;
    graph = addNode(graph, ["part"], specs.byId.get("value.text")!, { id: "own", at: [0, 0] }).graph;
    expect(canConnect(graph, ["part"], "own.out", "dot.value", { specs })).toEqual({
      ok: false,
      why: "graph.connect.promoted",
      values: { name: "value" },
    });
  });
});

describe("legal ends", () => {
  it("are those that canConnect lets through", () => {
    const graph = drawn({
      number: ["value.int"],
      offset: ["noise.offset"],
      noise: ["noise.gaussian"],
      dot: ["flow.reroute"],
    });
    const targets = legalTargets(graph, [], "noise.out", { specs });
    expect([...targets].sort()).toEqual(["dot.value", "offset.noise"]);
    expect([...legalSources(graph, [], "offset.noise", { specs })].sort()).toEqual(["dot.out", "noise.out"]);
  });
});

describe("typeFits", () => {
  it("lets types pass that no table knows, and refuses what a table refuses", () => {
    expect(typeFits(specs, "list[list[Images]]", "Images")).toBe(true);
    expect(typeFits(specs, "Images", "Noise")).toBe(false);
    expect(typeFits(specs, "Captions?", "Captions")).toBe(true);
    expect(typeFits(specs, "Captions", "Captions?")).toBe(false);
  });
});

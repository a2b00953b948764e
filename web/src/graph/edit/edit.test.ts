import { describe, expect, it } from "vitest";
import type { GraphFile } from "../../api/schema";
import { bodyAt } from "../body";
import { EditError } from "../error";
import { realGraph, realSpecs } from "../fixtures/specs";
import { emptyGraph } from "../normal";
import { shapeOf } from "../ports";
import * as edit from ".";
import { settingsIn } from "./collapse";

// What every edit leaves is read by the engine in tests/server/test_editor_documents.py; here: that each does its work.

const specs = realSpecs();
const spec = (type: string) => specs.byId.get(type)!;

function drawn(nodes: Record<string, [type: string, inside?: string]>, edges: Record<string, string> = {}): GraphFile {
  let graph = emptyGraph();
  let x = 0;
  for (const [id, [type, inside]] of Object.entries(nodes)) {
    x += 100;
    graph = edit.addNode(graph, [], specs.byId.get(type) ?? type, { id, at: [x, 0], inside }).graph;
  }
  for (const [target, source] of Object.entries(edges)) graph = edit.connect(graph, [], source, target, { specs });
  return graph;
}
function keyOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof EditError) return error.key;
    throw error;
  }
}

describe("nodes", () => {
  it("are added with a free id and every default written out", () => {
    const first = edit.addNode(emptyGraph(), [], spec("noise.offset"), { at: [10.6, 20] });
    const second = edit.addNode(first.graph, [], spec("noise.offset"), { at: [0, 0], settings: { strength: 0.2 } });
    expect([first.id, second.id]).toEqual(["offset", "offset_2"]);
    expect(second.graph.nodes.offset?.settings).toEqual(spec("noise.offset").defaults);
    expect(second.graph.nodes.offset_2?.settings?.strength).toBe(0.2);
    expect(second.graph.view.nodes?.offset).toEqual([11, 20]);
  });

  it("keep their draws when they are renamed, and a new node does not take them over", () => {
    let graph = drawn({ noise: ["noise.gaussian"], offset: ["noise.offset"] }, { "offset.noise": "noise.out" });
    graph = edit.renameNode(graph, [], "noise", "rain");
    expect(graph.nodes.rain?.stream).toBe("noise");
    expect(graph.edges).toEqual({ "offset.noise": "rain.out" });
    expect(graph.view.nodes?.rain).toEqual([100, 0]);
    expect(edit.addNode(graph, [], "pack.noise", { at: [0, 0] }).id).toBe("noise_2");
    expect(edit.renameNode(graph, [], "rain", "noise").nodes.noise?.stream).toBeUndefined();
  });

  it("are renamed with what lives in their region", () => {
    const graph = edit.renameNode(drawn({ train: ["train.loop"], mse: ["loss.mse", "train"] }), [], "train", "fit");
    expect(graph.nodes.mse?.in).toBe("fit");
  });

  it("refuse names that a file cannot hold", () => {
    const graph = drawn({ a: ["value.int"], b: ["value.int"] });
    expect(keyOf(() => edit.renameNode(graph, [], "a", "b"))).toBe("graph.error.taken");
    expect(keyOf(() => edit.renameNode(graph, [], "a", "2nd"))).toBe("graph.error.name");
    expect(keyOf(() => edit.renameNode(graph, [], "c", "d"))).toBe("graph.error.node");
    expect(keyOf(() => edit.setStream(graph, [], "a", "a b"))).toBe("graph.error.stream");
  });

  it("are removed with their region, their wires and their names outside", () => {
    let graph = drawn(
      {
        a: ["value.text"],
        b: ["value.text"],
        c: ["value.text"],
        join: ["value.join"],
        train: ["train.loop"],
        mse: ["loss.mse", "train"],
      },
      { "join.texts.0": "a.out", "join.texts.1": "b.out", "join.texts.2": "c.out" },
    );
    graph = edit.promote(graph, [], "b", "value", "words");
    graph = edit.removeNodes(graph, [], ["b", "train"]);
    expect(Object.keys(graph.nodes)).toEqual(["a", "c", "join"]);
    expect(graph.edges).toEqual({ "join.texts.0": "a.out", "join.texts.1": "c.out" });
    expect(graph.interface.inputs).toEqual({});
    expect(graph.view.nodes?.mse).toBeUndefined();
  });

  it("leave the wire behind when asked to, and the nodes of their region", () => {
    const graph = drawn(
      { a: ["noise.gaussian"], b: ["noise.offset"], train: ["train.loop"], c: ["noise.offset", "train"] },
      { "b.noise": "a.out", "c.noise": "b.out" },
    );
    expect(edit.removeKeepingWire(graph, [], ["b"], { specs }).edges).toEqual({ "c.noise": "a.out" });
    const freed = edit.removeNodes(graph, [], ["train"], { keepWires: true, specs });
    expect(freed.nodes.c?.in).toBeUndefined();
    expect(freed.edges).toEqual(graph.edges);
  });

  it("move with their region and never into themselves", () => {
    let graph = drawn({ train: ["train.loop"], every: ["train.every"], log: ["image.log", "every"] });
    graph = edit.moveInto(graph, [], ["every", "log"], "train");
    expect([graph.nodes.every?.in, graph.nodes.log?.in]).toEqual(["train", "every"]);
    expect(keyOf(() => edit.moveInto(graph, [], ["train"], "every"))).toBe("graph.error.insideItself");
    graph = edit.moveNodes(graph, [], new Map([["train", [1000, 50]]]));
    expect(graph.view.nodes).toEqual({ train: [1000, 50], every: [1100, 50], log: [1200, 50] });
    expect(edit.moveInto(graph, [], ["log"], null).nodes.log?.in).toBeUndefined();
  });

  it("are bypassed unless they own a region or are a subgraph", () => {
    const graph = drawn({ train: ["train.loop"], a: ["noise.gaussian"] });
    expect(keyOf(() => edit.setMode(graph, [], ["train"], "bypass", specs))).toBe("graph.error.bypass");
    const both = edit.setMode(graph, [], ["train", "a"], "bypass", specs);
    expect([both.nodes.train?.mode, both.nodes.a?.mode]).toEqual([undefined, "bypass"]);
    expect("mode" in edit.setMode(both, [], ["a"], null).nodes.a!).toBe(false);
  });

  it("give back the same graph when nothing changes", () => {
    const graph = drawn({ a: ["value.int"] });
    expect(edit.setTitle(graph, [], "a", " ")).toBe(graph);
    expect(edit.setSetting(graph, [], "a", "value", graph.nodes.a!.settings!.value!)).toBe(graph);
    expect(edit.moveNodes(graph, [], new Map([["a", [100.2, 0]]]))).toBe(graph);
    expect(edit.removeNodes(graph, [], ["nobody"])).toBe(graph);
    expect(edit.setRun(graph, { seed: 0, precision: "fp32" })).toBe(graph);
  });
});

describe("wires", () => {
  const graph = drawn(
    { a: ["value.text"], b: ["value.text"], c: ["value.text"], join: ["value.join"], prompt: ["text.prompt"] },
    { "join.texts": "a.out" },
  );

  it("append to a list port, replace a single one", () => {
    const two = edit.connect(graph, [], "b.out", "join.texts", { specs });
    expect(two.edges).toEqual({ "join.texts.0": "a.out", "join.texts.1": "b.out" });
    expect(edit.connect(two, [], "c.out", "join.texts.0", { specs }).edges["join.texts.0"]).toBe("c.out");
    expect(keyOf(() => edit.connect(two, [], "c.out", "join.texts.5", { specs }))).toBe("graph.error.gap");
    const single = drawn({ a: ["noise.gaussian"], b: ["noise.gaussian"], c: ["noise.offset"] }, { "c.noise": "a.out" });
    expect(edit.connect(single, [], "b.out", "c.noise", { specs }).edges).toEqual({ "c.noise": "b.out" });
  });

  it("close up when one is taken out or moved away, and keep their place when only the source changes", () => {
    let three = edit.connect(graph, [], "b.out", "join.texts", { specs });
    three = edit.connect(three, [], "c.out", "join.texts", { specs });
    expect(edit.disconnect(three, [], "join.texts.0").edges).toEqual({
      "join.texts.0": "b.out",
      "join.texts.1": "c.out",
    });
    const kept = edit.reconnect(three, [], "join.texts.0", "c.out", "join.texts", { specs });
    expect(kept.edges["join.texts.0"]).toBe("c.out");
    const away = edit.reconnect(three, [], "join.texts.1", "b.out", "prompt.repeat", { specs });
    expect(away.edges).toEqual({ "join.texts.0": "a.out", "join.texts.1": "c.out", "prompt.repeat": "b.out" });
    const turned = edit.reorderWire(three, [], "join.texts.2", 0);
    expect(turned.edges).toEqual({ "join.texts.0": "c.out", "join.texts.1": "a.out", "join.texts.2": "b.out" });
  });

  it("lead through a node that is dropped on them, which goes where the reader is", () => {
    let noise = drawn(
      {
        train: ["train.loop"],
        a: ["noise.gaussian", "train"],
        add: ["diffusion.add_noise", "train"],
        offset: ["noise.offset"],
      },
      { "add.noise": "a.out" },
    );
    expect([...edit.spliceable(noise, [], "offset", { specs })]).toEqual(["add.noise"]);
    noise = edit.splice(noise, [], "offset", "add.noise", { specs });
    expect(noise.edges).toEqual({ "offset.noise": "a.out", "add.noise": "offset.out" });
    expect(noise.nodes.offset?.in).toBe("train");
    expect(edit.spliceable(noise, [], "offset", { specs }).size).toBe(0);
    expect(keyOf(() => edit.splice(noise, [], "train", "add.noise", { specs }))).toBe("graph.error.splice");
    const { graph: routed, id } = edit.addReroute(noise, [], "add.noise", [1, 2], { specs });
    expect(routed.edges).toEqual({ "offset.noise": "a.out", [`${id}.value`]: "offset.out", "add.noise": `${id}.out` });
    expect(routed.nodes[id]?.in).toBe("train");
  });

  it("of a whole model lead through a node that hands it on, and past it when it goes", () => {
    const whole = drawn(
      { load: ["model.load"], draw: ["sample.denoise"], lora: ["plugin.lora"], split: ["model.split"] },
      { "draw.model": "load.model" },
    );
    expect([...edit.spliceable(whole, [], "lora", { specs })]).toEqual(["draw.model"]);
    expect(edit.spliceable(whole, [], "split", { specs }).size).toBe(0);
    const spliced = edit.splice(whole, [], "lora", "draw.model", { specs });
    expect(spliced.edges).toEqual({ "lora.model": "load.model", "draw.model": "lora.model" });
    expect(edit.removeKeepingWire(spliced, [], ["lora"], { specs }).edges).toEqual({ "draw.model": "load.model" });
  });
});

describe("settings", () => {
  it("of one name in the form are one value", () => {
    const graph = realGraph("data/masked");
    const [name, targets] = Object.entries(graph.interface.inputs!).find(([, all]) => all.length > 1)!;
    const [node = "", setting = ""] = targets[1]!.split(".");
    const changed = edit.setSetting(graph, [], node, setting, 123);
    for (const target of targets) {
      const [id = "", port = ""] = target.split(".");
      expect(changed.nodes[id]?.settings?.[port]).toBe(123);
    }
    expect(edit.setInterfaceValue(graph, [], name, 123, specs)).toEqual(changed);
  });

  it("inside of a subgraph are set on the instance when it shows them, else in the body", () => {
    const graph = realGraph("train/lora");
    const draw = Object.keys(graph.nodes).find((id) => graph.nodes[id]?.type === "graph:draw")!;
    const shown = edit.setSetting(graph, [draw], "sample", "guidance", 2);
    expect(shown.nodes[draw]?.settings?.guidance).toBe(2);
    expect(shown.graphs).toBe(graph.graphs);
    expect(edit.resetSetting(shown, [draw], "sample", "guidance").nodes[draw]?.settings).not.toHaveProperty("guidance");
    const own = edit.setSetting(graph, [draw], "sample", "eta", 0.5);
    expect(own.graphs.draw?.nodes.sample?.settings?.eta).toBe(0.5);
  });
});

describe("settings of nodes that become a subgraph", () => {
  const graph = drawn({ a: ["noise.gaussian"], b: ["noise.offset"], n: ["value.number"] }, { "b.noise": "a.out" });

  it("can be shown on its node, with the value that they have", () => {
    const set = edit.setSetting(graph, [], "b", "strength", 0.25);
    const { graph: made, instance } = edit.collapse(set, [], ["a", "b"], {
      name: "part",
      specs,
      promote: ["b.strength"],
    });
    expect(made.graphs.part?.interface.inputs).toMatchObject({ strength: ["b.strength"] });
    expect(shapeOf(made, [], instance, specs).settings.map(({ name, value }) => [name, value])).toContainEqual([
      "strength",
      0.25,
    ]);
  });

  it("are offered unless something feeds them already", () => {
    const offered = (one: GraphFile) => settingsIn(one, [], ["b"], specs).map(({ view }) => view.name);
    expect(offered(graph)).toContain("strength");
    expect(offered(edit.connect(graph, [], "n.out", "b.strength", { specs }))).not.toContain("strength");
    expect(offered(edit.promote(graph, [], "b", "strength"))).not.toContain("strength");
  });
});

describe("the interface of a subgraph", () => {
  const made = edit.collapse(drawn({ a: ["noise.gaussian"], b: ["noise.offset"] }, { "b.noise": "a.out" }), [], ["b"], {
    name: "part",
    specs,
  });

  it("is followed by its instances", () => {
    let graph = edit.promote(made.graph, ["part"], "b", "strength");
    graph = edit.setSetting(graph, [], "part", "strength", 0.5);
    graph = edit.renameInterface(graph, ["part"], "inputs", "strength", "size");
    expect(graph.nodes.part?.settings).toEqual({ size: 0.5 });
    graph = edit.renameInterface(graph, ["part"], "inputs", "noise", "from");
    expect(graph.edges).toEqual({ "part.from": "a.out" });
    const taken = edit.demote(graph, ["part"], "b", "strength");
    expect(taken.nodes.part?.settings).toEqual({});
    expect(taken.graphs.part?.nodes.b?.settings?.strength).toBe(0.5);
    const gone = edit.removeNodes(graph, ["part"], ["b"]);
    expect([gone.edges, gone.nodes.part?.settings]).toEqual([{}, {}]);
  });

  it("takes a name once", () => {
    const graph = edit.promote(made.graph, ["part"], "b", "strength");
    expect(edit.promote(graph, ["part"], "b", "strength")).toBe(graph);
    expect(keyOf(() => edit.renameInterface(graph, ["part"], "inputs", "strength", "noise"))).toBe("graph.error.taken");
    expect(keyOf(() => edit.promote(graph, ["part"], "b", "strength", "a b"))).toBe(null);
    expect(keyOf(() => edit.renameInterface(graph, ["part"], "inputs", "strength", "a b"))).toBe(
      "graph.error.portName",
    );
  });
});

describe("collapse and expand", () => {
  it("lead back to the very document", () => {
    const graph = realGraph("train/lora");
    const draw = Object.keys(graph.nodes).find((id) => graph.nodes[id]?.type === "graph:draw")!;
    const chosen = Object.keys(graph.nodes).filter((id) => graph.nodes[id]?.in === undefined && id !== draw);
    const { graph: small, instance } = edit.collapse(graph, [], chosen.slice(0, 6), { name: "setup", specs });
    expect(Object.keys(small.graphs)).toContain("setup");
    const { graph: back } = edit.expand(small, [], instance, { specs });
    expect(back).toEqual(graph);
  });

  it("keep the draws of random nodes by naming their streams absolutely", () => {
    const graph = drawn(
      { train: ["train.loop"], noise: ["noise.gaussian", "train"], off: ["noise.offset", "train"] },
      { "off.noise": "noise.out" },
    );
    const { graph: once, instance } = edit.collapse(graph, [], ["noise", "off"], { name: "part", specs });
    expect(once.graphs.part?.nodes.noise?.stream).toBe("@noise");
    expect(once.nodes[instance]?.in).toBe("train");
    const { graph: twice } = edit.collapse(once, ["part"], ["noise"], { name: "deeper", specs });
    expect(twice.graphs.deeper?.nodes.noise?.stream).toBe("@noise");
    expect(edit.expand(once, [], instance).graph.nodes.noise?.stream).toBeUndefined();
  });

  it("name what crosses the border, one input for what one source feeds", () => {
    const graph = drawn(
      { words: ["value.text"], a: ["flow.reroute"], b: ["flow.reroute"], end: ["flow.reroute"] },
      { "a.value": "words.out", "b.value": "words.out", "end.value": "b.out" },
    );
    const { graph: made } = edit.collapse(graph, [], ["a", "b"], { name: "part", specs });
    expect(made.graphs.part?.interface).toEqual({ inputs: { value: ["a.value", "b.value"] }, outputs: { b: "b.out" } });
    expect(made.edges).toEqual({ "part.value": "words.out", "end.value": "part.b" });
  });

  it("take whole regions along and refuse parts of several", () => {
    const graph = drawn({ train: ["train.loop"], mse: ["loss.mse", "train"], a: ["value.int"] });
    const { graph: made } = edit.collapse(graph, [], ["train"], { name: "fit", specs });
    expect(Object.keys(made.graphs.fit!.nodes)).toEqual(["train", "mse"]);
    expect(keyOf(() => edit.collapse(graph, [], ["mse", "a"], { name: "x", specs }))).toBe(
      "graph.error.severalRegions",
    );
  });

  it("write the values of the instance into what comes out of it", () => {
    let graph = edit.collapse(drawn({ offset: ["noise.offset"] }), [], ["offset"], { name: "part", specs }).graph;
    graph = edit.promote(graph, ["part"], "offset", "strength", "size");
    graph = edit.promote(graph, [], "part", "size");
    graph = edit.setSetting(graph, [], "part", "size", 0.75);
    const { graph: out } = edit.expand(edit.setMode(graph, [], ["part"], "mute"), [], "part");
    expect(out.nodes.offset?.settings?.strength).toBe(0.75);
    expect(out.nodes.offset?.mode).toBe("mute");
    expect(out.interface.inputs).toEqual({ size: ["offset.strength"] });
    expect(out.graphs).toEqual({});
  });
});

describe("copy and paste", () => {
  const graph = drawn(
    { a: ["noise.gaussian"], train: ["train.loop"], b: ["noise.offset", "train"], c: ["noise.offset", "train"] },
    { "b.noise": "a.out", "c.noise": "b.out" },
  );

  it("keep inner wires and regions, and outer wires on request", () => {
    const clip = edit.copy(graph, [], ["train"]);
    const plain = edit.paste(graph, [], clip, { at: [0, 500] });
    expect(plain.ids).toEqual(["train_2", "b_2", "c_2"]);
    expect(plain.graph.nodes.b_2?.in).toBe("train_2");
    expect(plain.graph.edges["c_2.noise"]).toBe("b_2.out");
    expect(plain.graph.edges["b_2.noise"]).toBeUndefined();
    expect(plain.graph.view.nodes?.train_2).toEqual([0, 500]);
    expect(edit.paste(graph, [], clip, { keepIncoming: true }).graph.edges["b_2.noise"]).toBe("a.out");
  });

  it("give a copy draws of its own, and an original in another document its old ones", () => {
    const renamed = edit.renameNode(graph, [], "a", "rain");
    expect(edit.duplicate(renamed, [], ["rain"]).graph.nodes.rain_2?.stream).toBeUndefined();
    expect(edit.paste(emptyGraph(), [], edit.copy(renamed, [], ["rain"])).graph.nodes.rain?.stream).toBe("a");
    expect(edit.duplicate(graph, [], ["b"]).graph.nodes.b_2?.in).toBe("train");
  });

  it("bring the subgraphs along, once where they are there already, renamed where another has the name", () => {
    const source = realGraph("train/lora");
    const draw = Object.keys(source.nodes).find((id) => source.nodes[id]?.type === "graph:draw")!;
    const clip = edit.copy(source, [], [draw]);
    expect(edit.paste(source, [], clip).graph.graphs).toEqual(source.graphs);
    const fresh = edit.paste(emptyGraph(), [], clip).graph;
    expect(fresh.graphs).toEqual({ draw: source.graphs.draw });
    const changed = edit.setSetting(fresh, [draw], "sample", "eta", 1);
    const both = edit.paste(changed, [], clip);
    expect(both.graph.nodes[both.ids[0]!]?.type).toBe("graph:draw_2");
    expect(keyOf(() => edit.paste(fresh, [draw], clip))).toBe("graph.error.recursive");
  });

  it("take nothing that a file may not hold", () => {
    for (const text of [
      "",
      "hello",
      "[]",
      "{}",
      JSON.stringify(graph),
      '{"hcpgraph-clip": 1, "nodes": {"a b": {}}}',
      '{"hcpgraph-clip": 1, "nodes": {"a": {"type": "x.y", "version": 0}}}',
      '{"hcpgraph-clip": 1, "edges": {"a": "b.c"}}',
    ]) {
      expect(
        keyOf(() => edit.paste(graph, [], text)),
        text,
      ).toBe("graph.error.clip");
    }
  });

  it("carry frames and notes", () => {
    const framed = edit.addFrame(graph, [], { at: [0, 0, 50, 50], title: "Noise" }).graph;
    const noted = edit.addNote(framed, [], { at: [0, 0, 10, 10], text: "why" }).graph;
    const clip = edit.copy(noted, [], ["a"], { frames: ["frame"], notes: ["note"] });
    const pasted = edit.paste(noted, [], clip);
    expect([pasted.frames, pasted.notes]).toEqual([["frame_2"], ["note_2"]]);
  });
});

describe("frames, notes and the document", () => {
  it("are edited and removed by their ids", () => {
    const { graph, id } = edit.addNote(emptyGraph(), [], { at: [0.4, 0, 10, 10], text: "a" });
    const changed = edit.editNote(graph, [], id, { text: "b", color: "blue" });
    expect(changed.view.notes).toEqual([{ id, at: [0, 0, 10, 10], text: "b", color: "blue" }]);
    expect(edit.editNote(changed, [], id, { color: undefined }).view.notes?.[0]).not.toHaveProperty("color");
    expect(edit.removeNote(changed, [], id).view.notes).toEqual([]);
    expect(keyOf(() => edit.editFrame(changed, [], "no", { title: "x" }))).toBe("graph.error.noExtra");
  });

  it("say how they run only where it is unusual", () => {
    const seeded = edit.setRun(emptyGraph(), { seed: 5 });
    expect(seeded.run).toEqual({ seed: 5 });
    expect("run" in edit.setRun(seeded, { seed: 0 })).toBe(false);
    expect(edit.setMeta(seeded, { title: "T", description: "" }).meta).toEqual({ title: "T" });
  });

  it("edit the body that the path leads to and nothing else", () => {
    const graph = realGraph("train/lora");
    const draw = Object.keys(graph.nodes).find((id) => graph.nodes[id]?.type === "graph:draw")!;
    const next = edit.addNote(graph, [draw], { at: [0, 0, 1, 1], text: "in" }).graph;
    expect(bodyAt(next, [draw]).view.notes?.length).toBe(1);
    expect(next.nodes).toBe(graph.nodes);
    expect(keyOf(() => edit.addNote(graph, ["nowhere"], { at: [0, 0, 1, 1] }))).toBe("graph.error.path");
  });
});

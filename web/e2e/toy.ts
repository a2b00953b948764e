import type { GraphFile, Json } from "../src/api/schema";

/** A node of the toy graph. Its id is the one that the editor gives when nodes are added in this order. */
export interface Piece {
  id: string;
  type: string;
  inside?: string;
  /** Where it goes: from the corner of the first node, or under another one. */
  at: [number, number] | { below: string };
}

/** A LoRA training that a laptop does in seconds: four pictures of 64 pixels, and one drawn with what was learnt. */
export const PIECES: readonly Piece[] = [
  { id: "load", type: "model.load", at: [0, 0] },
  { id: "openmoji", type: "data.openmoji", at: [0, 250] },
  { id: "ratio_bucket", type: "data.ratio_bucket", at: [260, 250] },
  { id: "loader", type: "data.loader", at: [520, 250] },
  { id: "lora", type: "plugin.lora", at: [260, 0] },
  { id: "adamw", type: "optim.adamw", at: [520, 0] },
  { id: "loop", type: "train.loop", at: [800, -60] },
  { id: "batch", type: "data.batch", inside: "loop", at: [830, 80] },
  { id: "encode_image", type: "diffusion.encode_image", inside: "loop", at: { below: "batch" } },
  { id: "encode", type: "text.encode", inside: "loop", at: { below: "encode_image" } },
  { id: "gaussian", type: "noise.gaussian", inside: "loop", at: { below: "encode" } },
  { id: "timesteps", type: "diffusion.timesteps", inside: "loop", at: { below: "gaussian" } },
  { id: "add_noise", type: "diffusion.add_noise", inside: "loop", at: [1110, 80] },
  { id: "predict", type: "diffusion.predict", inside: "loop", at: { below: "add_noise" } },
  { id: "target", type: "diffusion.target", inside: "loop", at: { below: "predict" } },
  { id: "mse", type: "loss.mse", inside: "loop", at: { below: "target" } },
  { id: "mean", type: "loss.mean", inside: "loop", at: { below: "mse" } },
  { id: "after", type: "flow.after", at: [0, 440] },
  { id: "prompt", type: "text.prompt", at: [260, 440] },
  { id: "encode_2", type: "text.encode", at: [0, 580] },
  { id: "empty_latents", type: "sample.empty_latents", at: [260, 580] },
  { id: "denoise", type: "sample.denoise", at: [520, 420] },
  { id: "decode", type: "image.decode", at: [0, 740] },
  { id: "save", type: "image.save", at: [300, 790] },
];

/** Target -> source, as in the file. */
export const WIRES: Readonly<Record<string, string>> = {
  "ratio_bucket.dataset": "openmoji.out",
  "loader.data": "ratio_bucket.out",
  "lora.model": "load.model",
  "adamw.params.0": "lora.params",
  "loop.optimizer.0": "adamw.out",
  "batch.loader": "loader.out",
  "encode_image.vae": "load.model",
  "encode_image.images": "batch.images",
  "encode.text_encoder": "load.model",
  "encode.captions": "batch.captions",
  "gaussian.latents": "encode_image.out",
  "timesteps.latents": "encode_image.out",
  "timesteps.schedule": "load.model",
  "add_noise.latents": "encode_image.out",
  "add_noise.noise": "gaussian.out",
  "add_noise.timesteps": "timesteps.out",
  "add_noise.schedule": "load.model",
  "predict.model": "lora.model",
  "predict.noisy": "add_noise.out",
  "predict.timesteps": "timesteps.out",
  "predict.conditioning": "encode.out",
  "target.latents": "encode_image.out",
  "target.noise": "gaussian.out",
  "target.timesteps": "timesteps.out",
  "target.schedule": "load.model",
  "mse.prediction": "predict.out",
  "mse.target": "target.out",
  "mean.loss": "mse.out",
  "loop.loss.0": "mean.out",
  "after.value": "lora.model",
  "after.trained": "loop.trained",
  "encode_2.text_encoder": "load.model",
  "encode_2.captions": "prompt.out",
  "empty_latents.vae": "load.model",
  "denoise.model": "after.out",
  "denoise.positive": "encode_2.out",
  "denoise.latents": "empty_latents.out",
  "decode.vae": "load.model",
  "decode.latents": "denoise.out",
  "save.images": "decode.out",
};

export const STEPS = 12;

/** What differs from the defaults: node, setting, value, and how its field is found in the inspector. */
export const SETTINGS: readonly { node: string; setting: string; label: string; value: Json }[] = [
  { node: "load", setting: "path", label: "Path", value: "builtin:emoji" },
  { node: "openmoji", setting: "limit", label: "Limit", value: 4 },
  { node: "ratio_bucket", setting: "target_area", label: "Target area", value: 4096 },
  { node: "loader", setting: "batch_size", label: "Batch size", value: 2 },
  { node: "loop", setting: "steps", label: "Steps", value: STEPS },
  { node: "prompt", setting: "texts", label: "Texts, 1", value: ["red apple"] },
  { node: "empty_latents", setting: "width", label: "Width", value: 64 },
  { node: "empty_latents", setting: "height", label: "Height", value: 64 },
  { node: "denoise", setting: "steps", label: "Steps", value: 2 },
  { node: "denoise", setting: "guidance", label: "Guidance", value: 1 },
];

/** The same graph as a document, with other settings where a test wants them: {"loop.steps": 3}. */
export function toyGraph(title: string, others: Readonly<Record<string, Json>> = {}): GraphFile {
  const nodes: GraphFile["nodes"] = {};
  const places: Record<string, number[]> = {};
  let [x, y] = [0, 0];
  for (const piece of PIECES) {
    if (Array.isArray(piece.at)) [x, y] = piece.at;
    else y += 150;
    places[piece.id] = [x, y];
    nodes[piece.id] = { type: piece.type, version: 1, settings: {}, ...(piece.inside && { in: piece.inside }) };
  }
  const wanted = { ...Object.fromEntries(SETTINGS.map((one) => [`${one.node}.${one.setting}`, one.value])), ...others };
  for (const [address, value] of Object.entries(wanted)) {
    const [node = "", setting = ""] = address.split(".");
    const entry = nodes[node];
    if (!entry) throw new Error(`the toy graph has no node '${node}'`);
    entry.settings = { ...entry.settings, [setting]: value };
  }
  return {
    format: "hcpgraph/1",
    meta: { title },
    requires: { hcpgraph: ">=0.1", packs: { hcpgraph_nodes: ">=0.1" }, files: {} },
    interface: { inputs: { steps: ["loop.steps"], prompts: ["prompt.texts"] }, outputs: {} },
    nodes,
    edges: { ...WIRES },
    graphs: {},
    view: { nodes: places, notes: [], frames: [] },
  } as GraphFile;
}

/** Only the drawing of a picture, without any training. */
export function drawingGraph(title: string, others: Readonly<Record<string, Json>> = {}): GraphFile {
  const graph = toyGraph(title);
  const kept = new Set(["load", "prompt", "encode_2", "empty_latents", "denoise", "decode", "save"]);
  const nodes = Object.fromEntries(Object.entries(graph.nodes).filter(([id]) => kept.has(id)));
  const edges = Object.fromEntries(
    Object.entries({ ...graph.edges, "denoise.model": "load.model" }).filter(([target]) =>
      kept.has(target.split(".")[0] ?? ""),
    ),
  );
  for (const [address, value] of Object.entries(others)) {
    const [node = "", setting = ""] = address.split(".");
    const entry = nodes[node];
    if (entry) entry.settings = { ...entry.settings, [setting]: value };
  }
  return { ...graph, nodes, edges, interface: { inputs: { prompts: ["prompt.texts"] }, outputs: {} } };
}

import type { DataReport, FileEntry, GraphFile, Json, Problem } from "../api/schema";
import { setMeta } from "../graph/edit/document";
import { setInterfaceValue } from "../graph/edit/settings";
import type { SpecIndex } from "../graph/specs";
import { type ModelShape, USUAL } from "./modelShape";

export const TEMPLATE = "train/lora";

export type Effort = "quick" | "normal" | "long";
export const EFFORTS: readonly Effort[] = ["quick", "normal", "long"];
/** Steps of a training. */
export const STEPS: Record<Effort, number> = { quick: 400, normal: 1500, long: 4000 };

/** What may be a picture, and what may hold captions: whether it is one the server says, with its own reader. */
const PICTURE = /\.(png|jpe?g|jfif|webp|gif|bmp|tiff?|avif|heic|heif|jxl)$/i;
const CAPTION = /\.(txt|caption|cap|jsonl?|ya?ml|csv|tsv|parquet)$/i;

/** Pictures and captions only: nothing else of the folder leaves the person's disk. */
export function trainable(files: readonly File[]): File[] {
  const some = files.some((file) => PICTURE.test(file.name));
  return some ? files.filter((file) => PICTURE.test(file.name) || CAPTION.test(file.name)) : [];
}

/** What the node that reads the pictures found. */
export interface Count {
  pictures: number;
  captioned: number;
  /** What it objects to. */
  problem: Problem | null;
}

/**
 * The part of the template that reads pictures, for a report on a folder: from the node that is given the folder to the
 * loader. A picture without caption keeps none there, so that the report tells the two apart.
 */
export function reading(template: GraphFile, pictures: string): GraphFile {
  const source = (template.interface.inputs?.pictures?.[0] ?? "").split(".")[0] ?? "";
  const ids = new Set([source]);
  const isData = (id: string) => template.nodes[id]?.type.startsWith("data.") ?? false;
  const edges: GraphFile["edges"] = {};
  for (let before = 0; before !== ids.size; ) {
    before = ids.size;
    for (const [target, from] of Object.entries(template.edges)) {
      const [reader = "", giver = ""] = [target.split(".")[0], from.split(".")[0]];
      if (!ids.has(giver) || !isData(reader)) continue;
      ids.add(reader);
      edges[target] = from;
    }
  }
  const nodes = Object.fromEntries(Object.entries(template.nodes).filter(([id]) => ids.has(id)));
  const entry = nodes[source];
  if (entry) {
    const settings = { ...entry.settings, path: pictures, on_missing: "empty", trigger: "" };
    nodes[source] = { ...entry, settings };
  }
  return { ...template, interface: {}, nodes, edges, graphs: {}, view: {} };
}

/** What a report says of the one loader in it. */
export function counted(report: DataReport): Count {
  const [loader] = report.loaders;
  const problem = report.problems.find((one) => one.severity === "error") ?? null;
  return { pictures: loader?.pictures ?? 0, captioned: loader?.captions ?? 0, problem };
}

/** A model to start from: the template's own if it is there, else the first that lies in the folder of models. */
export function findModel(wanted: string, models: readonly FileEntry[]): string | null {
  if (models.some((entry) => entry.uri === wanted)) return wanted;
  const fits = (entry: FileEntry) =>
    entry.kind === "folder" ? entry.name !== "uploads" : /\.(safetensors|gguf)$/i.test(entry.name);
  return models.find(fits)?.uri ?? null;
}

export interface Wanted {
  pictures: string;
  model: string;
  shape: ModelShape;
  trigger: string;
  effort: Effort;
}

/** A name for folders, of letters that every system takes. */
export function slugOf(text: string): string {
  const slug = text
    .normalize("NFKC")
    .trim()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  return slug || "lora";
}

/** The template with what somebody chose; what it writes goes to a folder named after the trigger word. */
export function prepared(template: GraphFile, wanted: Wanted, specs: SpecIndex): GraphFile {
  const { trigger, pictures, model, effort, shape } = wanted;
  const values: Record<string, Json> = { pictures, model, steps: STEPS[effort], trigger };
  if (trigger !== "") values.preview_prompts = [`a photo of ${trigger}`, `a painting of ${trigger}`];
  let graph = template;
  for (const [name, value] of Object.entries(values)) graph = setInterfaceValue(graph, [], name, value, specs);
  const title = trigger === "" ? undefined : `LoRA: ${trigger}`;
  graph = intoFolder(title ? setMeta(graph, { title }) : graph, "out:lora/", `out:${slugOf(trigger)}/`);
  return shape.size === USUAL.size && shape.multiple === USUAL.multiple ? graph : resized(graph, shape);
}

/** Training pictures and samples in the size that a model is made for. */
function resized(graph: GraphFile, { size, multiple }: ModelShape): GraphFile {
  const nodes = { ...graph.nodes };
  for (const [id, entry] of Object.entries(nodes)) {
    const settings = entry.settings ?? {};
    // what draws: an instance of a subgraph that samples, or the node that begins a sample; not a plot
    const draws = /^(graph:|sample\.)/.test(entry.type) && "width" in settings && "height" in settings;
    if (draws) nodes[id] = { ...entry, settings: { ...settings, width: size, height: size } };
    else if ("target_area" in settings && "step_size" in settings) {
      nodes[id] = { ...entry, settings: { ...settings, target_area: size * size, step_size: multiple } };
    }
  }
  return { ...graph, nodes };
}

/** Paths below one folder, moved to another. */
function intoFolder(graph: GraphFile, from: string, to: string): GraphFile {
  const nodes = { ...graph.nodes };
  for (const [id, entry] of Object.entries(nodes)) {
    const { path } = entry.settings ?? {};
    if (typeof path !== "string" || !path.startsWith(from)) continue;
    nodes[id] = { ...entry, settings: { ...entry.settings, path: to + path.slice(from.length) } };
  }
  return { ...graph, nodes };
}

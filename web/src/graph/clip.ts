import type { Body, Frame, Json, NodeEntry, Note } from "../api/schema";
import { EditError } from "./error";
import { ID, SOURCE, STREAM, TARGET, TYPE } from "./names";

/** What was copied, as text: JSON with "hcpgraph-clip": 1. It survives the clipboard, a chat and a mail. */
export type Clip = string;

export interface ClipParts {
  nodes: Record<string, NodeEntry>;
  edges: Record<string, string>;
  /** Wires from nodes that were not copied. */
  incoming: Record<string, string>;
  /** Subgraphs that the nodes are instances of, however deep. */
  graphs: Record<string, Body>;
  view: { nodes: Record<string, number[]>; notes: Note[]; frames: Frame[] };
}

const MAX_CHARACTERS = 8 * 2 ** 20;
const MAX_DEPTH = 26;

export function writeClip(parts: ClipParts): Clip {
  return `${JSON.stringify({ "hcpgraph-clip": 1, ...parts }, null, 2)}\n`;
}

/** Whether a text was written by `copy`, as far as its first lines tell; `paste` looks closer. */
export function isClip(text: string): boolean {
  return /^\s*\{\s*"hcpgraph-clip"\s*:\s*1\b/.test(text);
}

/**
 * Read a copied text. It may come from anywhere, so only what a graph file may contain is taken over.
 * Throws "graph.error.clip" for anything else.
 */
export function readClip(text: Clip): ClipParts {
  if (text.length > MAX_CHARACTERS) throw refused();
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw refused();
  }
  const clip = record(raw);
  if (clip["hcpgraph-clip"] !== 1) throw refused();
  const graphs: ClipParts["graphs"] = {};
  for (const [name, body] of Object.entries(record(clip.graphs ?? {}))) {
    require(ID.test(name));
    graphs[name] = readBody(record(body));
  }
  const { nodes, edges, view } = readBody(clip);
  return {
    nodes,
    edges,
    incoming: readEdges(clip.incoming ?? {}),
    graphs,
    view: { nodes: view.nodes ?? {}, notes: view.notes ?? [], frames: view.frames ?? [] },
  };
}

function readBody(raw: Record<string, unknown>): Body {
  const nodes: Body["nodes"] = {};
  for (const [id, entry] of Object.entries(record(raw.nodes ?? {}))) {
    require(ID.test(id));
    nodes[id] = readNode(record(entry));
  }
  const face = record(raw.interface ?? {});
  const inputs: Record<string, string[]> = {};
  for (const [name, targets] of Object.entries(record(face.inputs ?? {}))) {
    require(ID.test(name) && Array.isArray(targets) && targets.length > 0);
    inputs[name] = (targets as unknown[]).map((target) => matching(target, TARGET));
  }
  const outputs: Record<string, string> = {};
  for (const [name, source] of Object.entries(record(face.outputs ?? {}))) {
    require(ID.test(name));
    outputs[name] = matching(source, SOURCE);
  }
  const view = record(raw.view ?? {});
  const places: Record<string, number[]> = {};
  for (const [id, at] of Object.entries(record(view.nodes ?? {}))) if (ID.test(id)) places[id] = numbers(at, 2);
  return {
    nodes,
    edges: readEdges(raw.edges ?? {}),
    interface: { inputs, outputs },
    view: { nodes: places, notes: extras<Note>(view.notes, "text"), frames: extras<Frame>(view.frames, "title") },
  };
}

function readNode(raw: Record<string, unknown>): NodeEntry {
  const entry: NodeEntry = { type: matching(raw.type, TYPE), version: Number(raw.version ?? 1) };
  require(Number.isSafeInteger(entry.version) && entry.version >= 1);
  if (raw.in !== undefined) entry.in = matching(raw.in, ID);
  if (raw.mode === "mute" || raw.mode === "bypass") entry.mode = raw.mode;
  if (raw.stream !== undefined) entry.stream = matching(raw.stream, STREAM);
  if (typeof raw.title === "string") entry.title = raw.title;
  if (raw.settings !== undefined) {
    const settings = record(raw.settings);
    for (const value of Object.values(settings)) require(depth(value, MAX_DEPTH));
    entry.settings = settings as Record<string, Json>;
  }
  return entry;
}

function readEdges(raw: unknown): Record<string, string> {
  const edges: Record<string, string> = {};
  for (const [target, source] of Object.entries(record(raw))) {
    edges[matching(target, TARGET)] = matching(source, SOURCE);
  }
  return edges;
}

function extras<T extends Note | Frame>(raw: unknown, words: "text" | "title"): T[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((one) => {
    const { id, at, color, ...rest } = record(one);
    const text = rest[words];
    require(typeof text === "string");
    const colour = typeof color === "string" ? { color } : {};
    return { id: matching(id, ID), at: numbers(at, 4), [words]: text, ...colour } as unknown as T;
  });
}

function numbers(raw: unknown, least: number): number[] {
  require(Array.isArray(raw) && raw.length >= least && raw.length <= 4 && raw.every((one) => Number.isFinite(one)));
  return raw as number[];
}

function matching(raw: unknown, pattern: RegExp): string {
  require(typeof raw === "string" && pattern.test(raw));
  return raw as string;
}

function record(raw: unknown): Record<string, unknown> {
  require(typeof raw === "object" && raw !== null && !Array.isArray(raw));
  return raw as Record<string, unknown>;
}

function depth(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return left > 0 && Object.values(value).every((item) => depth(item, left - 1));
}

function require(holds: boolean): void {
  if (!holds) throw refused();
}

function refused(): EditError {
  return new EditError("E_FORMAT", "graph.error.clip");
}

import type { Body, Frame, GraphFile, NodeEntry, Note } from "../../api/schema";
import {
  type BodyPath,
  bodyAt,
  bodyNameAt,
  graphName,
  ownerOf,
  reachable,
  regionChain,
  regionOf,
  withInside,
} from "../body";
import { type Clip, type ClipParts, readClip, writeClip } from "../clip";
import { EditError } from "../error";
import { bounds } from "../geometry";
import { freeId, withoutNumber } from "../names";
import { sameJson } from "../normal";
import { closeGaps, editBody, rounded } from "./base";
import { isTaken } from "./nodes";

export interface PasteOptions {
  /** Where the top left corner of what is pasted goes; without it, a little beside where it was copied. */
  at?: [number, number];
  /** Also wire what nodes of this body fed it before. */
  keepIncoming?: boolean;
  /** Region for what lay in no copied region. */
  inside?: string | null;
}
export interface Pasted {
  graph: GraphFile;
  /** Ids of the new nodes, for the selection. */
  ids: string[];
  notes: string[];
  frames: string[];
}

const BESIDE = 32;

/** Nodes with the wires between them, what lives in the regions among them, and the subgraphs that they need. */
export function copy(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  extras: { notes?: Iterable<string>; frames?: Iterable<string> } = {},
): Clip {
  return writeClip(take(graph, bodyAt(graph, path), ids, extras));
}

function take(
  graph: GraphFile,
  body: Body,
  ids: Iterable<string>,
  extras: { notes?: Iterable<string>; frames?: Iterable<string> } = {},
): ClipParts {
  const chosen = withInside(body, ids);
  const [notes, frames] = [new Set(extras.notes ?? []), new Set(extras.frames ?? [])];
  const nodes: Record<string, NodeEntry> = {};
  const places: Record<string, number[]> = {};
  for (const id of chosen) {
    const entry = body.nodes[id];
    if (!entry) continue;
    const { in: owner, ...rest } = entry;
    nodes[id] = owner !== undefined && chosen.has(owner) ? entry : rest;
    const at = body.view.nodes?.[id];
    if (at) places[id] = at;
  }
  const edges: Record<string, string> = {};
  const incoming: Record<string, string> = {};
  for (const [target, source] of Object.entries(body.edges)) {
    if (chosen.has(ownerOf(target))) (chosen.has(ownerOf(source)) ? edges : incoming)[target] = source;
  }
  const needed = reachable(graph, { nodes, edges, interface: {}, view: {} });
  const graphs = Object.fromEntries(Object.entries(graph.graphs).filter(([name]) => needed.has(name)));
  return {
    nodes,
    edges,
    incoming,
    graphs,
    view: {
      nodes: places,
      notes: (body.view.notes ?? []).filter((note) => notes.has(note.id)),
      frames: (body.view.frames ?? []).filter((frame) => frames.has(frame.id)),
    },
  };
}

/** Put what was copied into a body, under free ids. Throws "graph.error.clip" for any other text. */
export function paste(graph: GraphFile, path: BodyPath, clip: Clip, options: PasteOptions = {}): Pasted {
  return put(graph, path, readClip(clip), options, () => options.inside ?? null);
}

/** Nodes once more beside themselves, in the same regions. */
export function duplicate(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string>,
  { offset = [BESIDE, BESIDE], keepIncoming = false }: { offset?: [number, number]; keepIncoming?: boolean } = {},
): Pasted {
  const body = bodyAt(graph, path);
  const parts = take(graph, body, ids);
  const corner = cornerOf(parts);
  const at: [number, number] = [corner[0] + offset[0], corner[1] + offset[1]];
  return put(graph, path, parts, { at, keepIncoming }, (id) => regionOf(body, id));
}

function put(
  graph: GraphFile,
  path: BodyPath,
  parts: ClipParts,
  { at, keepIncoming = false }: PasteOptions,
  region: (id: string) => string | null,
): Pasted {
  const subgraphs = adopt(graph, path, parts);
  const body = bodyAt(graph, path);
  const ids = idsFor(body, parts);
  const rename = (port: string): string => {
    const id = ownerOf(port);
    return (ids.get(id) ?? id) + port.slice(id.length);
  };
  const corner = cornerOf(parts);
  const [dx, dy] = at ? [at[0] - corner[0], at[1] - corner[1]] : [BESIDE, BESIDE];
  const shift = ([x = 0, y = 0, ...size]: number[]): number[] => [...rounded([x + dx, y + dy]), ...size];
  const streams = new Set(Object.values(body.nodes).map((entry) => entry.stream ?? ""));
  const nodes: Body["nodes"] = {};
  const places: Record<string, number[]> = {};
  for (const [old, entry] of Object.entries(parts.nodes)) {
    const id = ids.get(old) ?? old;
    const { in: owner, stream, ...rest } = entry;
    const inside = owner !== undefined && ids.has(owner) ? ids.get(owner) : (region(old) ?? undefined);
    const name = graphName(entry.type);
    // A stream that is here already would give two nodes the same numbers.
    const own = stream !== undefined && !streams.has(stream) && !Object.hasOwn(body.nodes, stream) ? stream : undefined;
    nodes[id] = {
      ...rest,
      ...(name !== null && { type: `graph:${subgraphs.get(name) ?? name}` }),
      ...(inside !== undefined && { in: inside }),
      ...(own !== undefined && own !== id && { stream: own }),
    };
    places[id] = shift(parts.view.nodes[old] ?? corner);
  }
  const edges: Body["edges"] = { ...body.edges };
  for (const [target, source] of Object.entries(parts.edges)) {
    if (ids.has(ownerOf(target)) && ids.has(ownerOf(source))) edges[rename(target)] = rename(source);
  }
  const whole: Body = { ...body, nodes: { ...body.nodes, ...nodes } };
  if (keepIncoming) {
    for (const [target, source] of Object.entries(parts.incoming)) {
      if (ids.has(ownerOf(target)) && reaches(whole, source, rename(target))) edges[rename(target)] = source;
    }
  }
  const notes = renumber(parts.view.notes, body.view.notes ?? [], "note", shift);
  const frames = renumber(parts.view.frames, body.view.frames ?? [], "frame", shift);
  const grown = { ...graph, graphs: { ...graph.graphs, ...graphsOf(parts, subgraphs) } };
  const next = editBody(grown, path, () =>
    closeGaps({
      ...whole,
      edges,
      view: {
        nodes: { ...body.view.nodes, ...places },
        notes: [...(body.view.notes ?? []), ...notes],
        frames: [...(body.view.frames ?? []), ...frames],
      },
    }),
  );
  const names = (all: (Note | Frame)[]) => all.map((one) => one.id);
  return { graph: next, ids: [...ids.values()], notes: names(notes), frames: names(frames) };
}

/** Whether a node of this body may read a source: it is there, and no region lies between. */
function reaches(body: Body, source: string, target: string): boolean {
  const giver = ownerOf(source);
  if (!Object.hasOwn(body.nodes, giver)) return false;
  const here = regionChain(body, ownerOf(target));
  return regionChain(body, giver).every((owner, depth) => here[depth] === owner);
}

function idsFor(body: Body, parts: ClipParts): Map<string, string> {
  const taken = isTaken(body);
  const given = new Set<string>();
  const ids = new Map<string, string>();
  for (const old of Object.keys(parts.nodes)) {
    const free = (id: string) => !taken(id) && !given.has(id);
    const id = free(old) ? old : freeId(withoutNumber(old), (one) => !free(one));
    given.add(id);
    ids.set(old, id);
  }
  return ids;
}

/**
 * The names that copied subgraphs get here: the same where an equal one is there already, else a free one. Refused is
 * what would make a subgraph contain itself.
 */
function adopt(graph: GraphFile, path: BodyPath, parts: ClipParts): Map<string, string> {
  const here = bodyNameAt(graph, path);
  const names = new Map<string, string>();
  const clip: GraphFile = { ...graph, graphs: parts.graphs };
  const used = reachable(clip, { nodes: parts.nodes, edges: {}, interface: {}, view: {} });
  const same = (name: string): boolean => {
    const body = parts.graphs[name];
    return (
      body !== undefined &&
      sameJson(graph.graphs[name], body) &&
      [...reachable(clip, body)].every((inner) => sameJson(graph.graphs[inner], parts.graphs[inner]))
    );
  };
  const taken = (name: string) => Object.hasOwn(graph.graphs, name) || [...names.values()].includes(name);
  for (const name of used) names.set(name, same(name) || !taken(name) ? name : freeId(withoutNumber(name), taken));
  if (here !== null) {
    const inside = [...used].some((name) => names.get(name) === here);
    if (inside) throw new EditError("E_GRAPH_RECURSIVE", "graph.error.recursive", { name: here });
  }
  return names;
}

/** The copied subgraphs under their new names, their own instances renamed with them. */
function graphsOf(parts: ClipParts, names: ReadonlyMap<string, string>): GraphFile["graphs"] {
  const graphs: GraphFile["graphs"] = {};
  for (const [old, name] of names) {
    const body = parts.graphs[old];
    if (!body) continue;
    const nodes: Body["nodes"] = {};
    for (const [id, entry] of Object.entries(body.nodes)) {
      const inner = graphName(entry.type);
      const type = inner === null ? entry.type : `graph:${names.get(inner) ?? inner}`;
      nodes[id] = type === entry.type ? entry : { ...entry, type };
    }
    graphs[name] = { ...body, nodes };
  }
  return graphs;
}

function cornerOf(parts: ClipParts): [number, number] {
  const places = [
    ...Object.values(parts.view.nodes),
    ...[...parts.view.notes, ...parts.view.frames].map((one) => one.at),
  ];
  const box = bounds(places.map(([x = 0, y = 0]) => ({ x, y, w: 0, h: 0 })));
  return box ? [box.x, box.y] : [0, 0];
}

function renumber<T extends Note | Frame>(all: T[], there: T[], kind: string, shift: (at: number[]) => number[]): T[] {
  const taken = new Set(there.map((one) => one.id));
  return all.map((one) => {
    const id = freeId(taken.has(one.id) ? kind : one.id, (name) => taken.has(name));
    taken.add(id);
    return { ...one, id, at: shift(one.at) };
  });
}

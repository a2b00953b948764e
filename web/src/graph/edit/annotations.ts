import type { Body, Frame, GraphFile, Note } from "../../api/schema";
import { type BodyPath, bodyAt } from "../body";
import { EditError } from "../error";
import { freeId } from "../names";
import { sameJson } from "../normal";
import { editBody, rounded } from "./base";

type At = [number, number, number, number];

/** Draw a frame around an area of the canvas. */
export function addFrame(
  graph: GraphFile,
  path: BodyPath,
  { at, title = "", color }: { at: At; title?: string; color?: string },
): { graph: GraphFile; id: string } {
  const frames = bodyAt(graph, path).view.frames ?? [];
  const id = freeId("frame", (name) => frames.some((frame) => frame.id === name));
  const frame: Frame = { id, at: rounded(at) as At, title, ...(color !== undefined && { color }) };
  return { graph: withFrames(graph, path, [...frames, frame]), id };
}

export function editFrame(graph: GraphFile, path: BodyPath, id: string, patch: Partial<Omit<Frame, "id">>): GraphFile {
  return withFrames(graph, path, patched(bodyAt(graph, path).view.frames ?? [], id, patch));
}

export function removeFrame(graph: GraphFile, path: BodyPath, id: string): GraphFile {
  return withFrames(graph, path, without(bodyAt(graph, path).view.frames ?? [], id));
}

/** Put a note on the canvas; its text is Markdown. */
export function addNote(
  graph: GraphFile,
  path: BodyPath,
  { at, text = "", color }: { at: At; text?: string; color?: string },
): { graph: GraphFile; id: string } {
  const notes = bodyAt(graph, path).view.notes ?? [];
  const id = freeId("note", (name) => notes.some((note) => note.id === name));
  const note: Note = { id, at: rounded(at) as At, text, ...(color !== undefined && { color }) };
  return { graph: withNotes(graph, path, [...notes, note]), id };
}

export function editNote(graph: GraphFile, path: BodyPath, id: string, patch: Partial<Omit<Note, "id">>): GraphFile {
  return withNotes(graph, path, patched(bodyAt(graph, path).view.notes ?? [], id, patch));
}

export function removeNote(graph: GraphFile, path: BodyPath, id: string): GraphFile {
  return withNotes(graph, path, without(bodyAt(graph, path).view.notes ?? [], id));
}

function patched<T extends Frame | Note>(all: T[], id: string, patch: Partial<Frame & Note>): T[] {
  const old = all.find((one) => one.id === id);
  if (!old) throw new EditError("E_FIELD", "graph.error.noExtra", { name: id });
  const next = { ...old, ...patch };
  if (patch.at) next.at = rounded(patch.at) as At;
  const kept = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined)) as unknown as T;
  return sameJson(kept, old) ? all : all.map((one) => (one === old ? kept : one));
}

function without<T extends { id: string }>(all: T[], id: string): T[] {
  return all.some((one) => one.id === id) ? all.filter((one) => one.id !== id) : all;
}

function withFrames(graph: GraphFile, path: BodyPath, frames: Frame[]): GraphFile {
  return withView(graph, path, (view) => (frames === view.frames ? view : { ...view, frames }));
}

function withNotes(graph: GraphFile, path: BodyPath, notes: Note[]): GraphFile {
  return withView(graph, path, (view) => (notes === view.notes ? view : { ...view, notes }));
}

function withView(graph: GraphFile, path: BodyPath, change: (view: Body["view"]) => Body["view"]): GraphFile {
  return editBody(graph, path, (body) => {
    const view = change(body.view);
    return view === body.view ? body : { ...body, view };
  });
}

import { type TemporalState, temporal } from "zundo";
import { createStore, type StoreApi } from "zustand/vanilla";
import type { GraphFile, Opened } from "../api/schema";
import { EditError } from "../graph/error";
import { complete, emptyGraph } from "../graph/normal";

export type Origin = "new" | "template" | "workspace" | "import" | "run";

/** One open document. */
export interface Doc {
  graph: GraphFile;
  /** Name in the workspace, without ".json"; null as long as it was never saved there. */
  name: string | null;
  etag: string | null;
  /** The graph as it was opened or last saved; null for one that was put together here and is saved nowhere. */
  saved: GraphFile | null;
  readOnly: boolean;
  origin: Origin;
}
export interface History {
  canUndo: boolean;
  canRedo: boolean;
  /** Keys of the texts of the steps that would be taken back or made again. */
  undoLabel: string | null;
  redoLabel: string | null;
}

export interface DocStore {
  getState(): Doc;
  /** Called after every change of the document or of its history. */
  subscribe(listener: () => void): () => void;
  /**
   * One step of undo, named by a key of the language files. Edits of the same `group` within 600 ms, or until
   * `endGroup`, are one step; an edit that returns the same graph is none. An `EditError` goes to `onEditError` and the
   * answer is false, as it is for a document that is read only.
   */
  edit(label: string, change: (graph: GraphFile) => GraphFile, group?: string): boolean;
  endGroup(): void;
  undo(): void;
  redo(): void;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly undoLabel: string | null;
  readonly redoLabel: string | null;
  /** All four of these; the same object until the history changes. */
  history(): History;
  /** The server has it under this name now; `sent` is the graph that was sent, if it was edited since. */
  mark(saved: Opened, sent?: GraphFile): void;
  /** Another document in its place; its history is forgotten. */
  replace(opened: Opened): void;
}

export const GROUP_MILLISECONDS = 600;
const STEPS = 200;

/** What undo brings back: the graph, and the key of the edit that made it. */
interface Version {
  graph: GraphFile;
  label: string | null;
}
type Versions = StoreApi<Version> & { temporal: StoreApi<TemporalState<Version>> };

type Listener = (error: EditError) => void;
const listeners = new Set<Listener>();

/** Hear of edits that were refused, to tell the user why. Returns the way to stop. */
export function onEditError(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether closing it would lose something. */
export function isDirty(doc: Doc): boolean {
  return doc.graph !== doc.saved;
}

/** What the server answered, as a document. A template, an import or the graph of a run has no place in the workspace. */
export function docOf(opened: Opened, origin: Origin, readOnly = false): Doc {
  const graph = complete(opened.graph);
  const kept = origin === "workspace";
  return {
    graph,
    name: kept ? opened.name : null,
    etag: kept ? opened.etag : null,
    saved: graph,
    readOnly,
    origin,
  };
}

/** A document with its history. Selection and viewport are no part of it, so that no step of undo is lost to them. */
export function createDocument(init: Partial<Doc> = {}): DocStore {
  const graph = init.graph ? complete(init.graph) : emptyGraph();
  const { name = null, etag = null, readOnly = false, origin = "new" } = init;
  // Saved and present graph of a draft that nobody edited are one object, and stay one.
  const saved = init.saved === undefined || init.saved === init.graph ? graph : init.saved;
  let doc: Doc = { graph, name, etag, saved, readOnly, origin };

  const versions: Versions = createStore<Version>()(
    temporal((): Version => ({ graph, label: null }), {
      limit: STEPS,
      partialize: ({ graph, label }) => ({ graph, label }),
      equality: (past, now) => past.graph === now.graph,
    }),
  );
  const steps = versions.temporal;
  const watchers = new Set<() => void>();
  let group: { name: string; at: number } | null = null;
  let history: History | null = null;

  const changed = (): void => {
    doc = { ...doc, graph: versions.getState().graph };
    history = null;
    for (const watcher of [...watchers]) watcher();
  };
  const endGroup = (): void => {
    group = null;
    steps.getState().resume();
  };
  const readHistory = (): History => {
    const { pastStates, futureStates } = steps.getState();
    history ??= {
      canUndo: pastStates.length > 0,
      canRedo: futureStates.length > 0,
      undoLabel: pastStates.length > 0 ? versions.getState().label : null,
      redoLabel: futureStates.at(-1)?.label ?? null,
    };
    return history;
  };
  const step = (back: boolean): void => {
    if (doc.readOnly) return;
    endGroup();
    const { undo, redo, pastStates, futureStates } = steps.getState();
    if ((back ? pastStates : futureStates).length === 0) return;
    if (back) undo();
    else redo();
    changed();
  };

  return {
    getState: () => doc,
    subscribe: (listener) => {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    edit: (label, change, name) => {
      if (doc.readOnly) return false;
      let next: GraphFile;
      try {
        next = change(doc.graph);
      } catch (error) {
        if (!(error instanceof EditError) || listeners.size === 0) throw error;
        for (const listener of [...listeners]) listener(error);
        return false;
      }
      if (next === doc.graph) return true;
      const now = performance.now();
      const same = name !== undefined && group?.name === name && now - group.at < GROUP_MILLISECONDS;
      if (!same) endGroup();
      versions.setState({ graph: next, label }); // zundo keeps the version before it, unless a group is under way
      if (name !== undefined) {
        group = { name, at: now };
        steps.getState().pause();
      }
      changed();
      return true;
    },
    endGroup,
    undo: () => step(true),
    redo: () => step(false),
    get canUndo() {
      return readHistory().canUndo;
    },
    get canRedo() {
      return readHistory().canRedo;
    },
    get undoLabel() {
      return readHistory().undoLabel;
    },
    get redoLabel() {
      return readHistory().redoLabel;
    },
    history: readHistory,
    mark: (opened, sent) => {
      endGroup();
      const { name, etag } = opened;
      doc = { ...doc, name, etag, saved: sent ?? doc.graph, origin: "workspace", readOnly: false };
      changed();
    },
    replace: (opened) => {
      endGroup();
      const origin: Origin = opened.name === null ? doc.origin : "workspace";
      doc = docOf(opened, origin, doc.readOnly);
      steps.getState().pause();
      versions.setState({ graph: doc.graph, label: null });
      steps.getState().resume();
      steps.getState().clear();
      changed();
    },
  };
}

import { create } from "zustand";
import { api } from "../../api/client";
import { problemsOf } from "../../api/errors";
import type { Artifact, LogLine, NodeRun, PictureFrame, Problem, RunEvent } from "../../api/schema";
import { applyEvents, type Curves, EMPTY_RUN, fromSnapshot, isOver, type RunModel, settle, sinceOf } from "./model";
import { Pictures } from "./pictures";

/** The part of the socket that the store needs; live.ts hands it over. */
export interface Link {
  follow(job: string, since: number): void;
  unfollow(job: string): void;
}

export interface RunStore {
  /** The run that the panels show. */
  active: string | null;
  /** Tab -> run whose states its canvas shows. */
  shown: Readonly<Record<string, string>>;
  /** The tab in front, as `enterTab` said. */
  tab: string | null;
  /** Further runs, drawn over the chart. */
  compare: readonly string[];
  runs: Readonly<Record<string, RunModel>>;
  /** Runs that could not be read. */
  failures: Readonly<Record<string, Problem[]>>;

  /** Of the active run, where the tab in front shows it; by flat id. */
  nodes: Readonly<Record<string, NodeRun>>;
  pictures: ReadonlyMap<string, string>;
  /** Of the active run. */
  series: Curves;
  artifacts: readonly Artifact[];
  log: readonly LogLine[];

  /** Show a run; `canvas` false: in the panels only. */
  follow(id: string | null, canvas?: boolean): void;
  enterTab(tab: string | null): void;
  setCompare(ids: readonly string[]): void;
  toggleCompare(id: string): void;
  /** A run was deleted: nothing shows it any more. */
  forget(id: string): void;
}

const MOST_COMPARED = 7;
const REMEMBERED = "hcpgraph.runs";

const NOTHING: Pick<RunStore, "nodes" | "series" | "artifacts" | "log"> = {
  nodes: {},
  series: {},
  artifacts: [],
  log: [],
};

export const useRuns = create<RunStore>()((set, get) => ({
  ...remembered(),
  tab: null,
  compare: [],
  runs: {},
  failures: {},
  ...NOTHING,
  pictures: new Map(),
  follow: (id, canvas = true) => {
    const { tab, shown, active } = get();
    const next = { ...shown };
    if (tab !== null && canvas) {
      if (id === null) delete next[tab];
      else next[tab] = id;
    }
    if (id !== active) pictures.clear();
    set({ active: id, shown: next, pictures: pictures.all() });
    settleDown();
  },
  enterTab: (tab) => {
    if (tab === get().tab) return;
    const { shown, active } = get();
    const own = tab === null ? undefined : shown[tab];
    const next = own ?? active;
    if (next !== active) pictures.clear();
    set({ tab, active: next, pictures: pictures.all() });
    settleDown();
  },
  setCompare: (ids) => {
    set({ compare: [...new Set(ids)].slice(-MOST_COMPARED) });
    settleDown();
  },
  toggleCompare: (id) => {
    const { compare, setCompare } = get();
    setCompare(compare.includes(id) ? compare.filter((one) => one !== id) : [...compare, id]);
  },
  forget: (id) => {
    const { shown, active, compare, runs } = get();
    const { [id]: _gone, ...rest } = runs;
    set({
      active: active === id ? null : active,
      shown: Object.fromEntries(Object.entries(shown).filter(([, job]) => job !== id)),
      compare: compare.filter((one) => one !== id),
      runs: rest,
    });
    settleDown();
  },
}));

/** State of one node of the canvas; its component is drawn again when that node changes and at no other event. */
export function useNodeRun(flat: string): NodeRun | undefined {
  return useRuns((state) => state.nodes[flat]);
}

/** Address of the latest picture of a node's value, while its run goes on. */
export function useNodePicture(flat: string): string | undefined {
  return useRuns((state) => state.pictures.get(flat));
}

const pictures = new Pictures();
let link: Link | null = null;
const followed = new Set<string>();
const loading = new Set<string>();

export function setLink(next: Link | null): void {
  link = next;
  followed.clear();
}

/** Bring runs, follows and what is shown in line with what is wanted now. */
function settleDown(): void {
  const { active, compare, runs, failures, shown } = useRuns.getState();
  const wanted = new Set(active === null ? compare : [active, ...compare]);
  for (const id of followed) {
    if (wanted.has(id)) continue;
    followed.delete(id);
    link?.unfollow(id);
  }
  const kept = Object.entries(runs).filter(([id]) => wanted.has(id));
  if (kept.length < Object.keys(runs).length) useRuns.setState({ runs: Object.fromEntries(kept) });
  for (const id of wanted) if (!(id in runs) && !(id in failures)) void load(id);
  show();
  remember(active, shown);
}

/** What the components read, from the model of the active run. */
function show(): void {
  const state = useRuns.getState();
  const model = (state.active !== null && state.runs[state.active]) || EMPTY_RUN;
  const here = state.tab !== null && state.shown[state.tab] === state.active;
  const nodes = here ? model.nodes : NOTHING.nodes;
  if (
    nodes === state.nodes &&
    model.curves === state.series &&
    model.artifacts === state.artifacts &&
    model.log === state.log
  )
    return;
  useRuns.setState({ nodes, series: model.curves, artifacts: model.artifacts, log: model.log });
}

async function load(id: string): Promise<void> {
  if (loading.has(id)) return;
  loading.add(id);
  try {
    const [snapshot, series] = await Promise.all([api.snapshot(id), api.series(id)]);
    const { active, compare, runs } = useRuns.getState();
    if (active !== id && !compare.includes(id)) return;
    const model = fromSnapshot(snapshot, series);
    useRuns.setState({ runs: { ...runs, [id]: model } });
    if (!isOver(snapshot.job)) {
      followed.add(id);
      link?.follow(id, sinceOf(model));
    }
    show();
  } catch (error) {
    useRuns.setState(({ failures }) => ({ failures: { ...failures, [id]: problemsOf(error) } }));
  } finally {
    loading.delete(id);
  }
}

/** The connection is back: what could not be read before may be there now. */
export function retryLoads(): void {
  useRuns.setState({ failures: {} });
  settleDown();
}

const waiting = new Map<string, RunEvent[]>();
let frames: PictureFrame[] = [];
let flushing = false;

/** Events of a run: collected, and applied once per drawn frame. */
export function takeEvents(job: string, events: readonly RunEvent[]): void {
  const list = waiting.get(job);
  if (list) list.push(...events);
  else waiting.set(job, [...events]);
  schedule();
}

export function takePicture(frame: PictureFrame): void {
  const { active, shown, tab } = useRuns.getState();
  if (frame.job !== active || tab === null || shown[tab] !== active) return;
  frames = [...frames.filter((one) => one.node !== frame.node), frame];
  schedule();
}

/** The job is over, whatever its events could still say. */
export function runEnded(job: string): void {
  flush();
  const { runs } = useRuns.getState();
  const model = runs[job];
  if (!model) return;
  const next = settle(model);
  if (next === model) return;
  useRuns.setState({ runs: { ...runs, [job]: next } });
  show();
}

/** A page in the background draws no frames: there, once a second is enough. */
const HIDDEN_DELAY = 1000;

function schedule(): void {
  if (flushing) return;
  flushing = true;
  if (document.visibilityState === "hidden") setTimeout(flush, HIDDEN_DELAY);
  else requestAnimationFrame(flush);
}

export function flush(): void {
  flushing = false;
  const { runs } = useRuns.getState();
  const next = { ...runs };
  let changed = false;
  for (const [job, events] of waiting) {
    const model = runs[job];
    if (!model) continue;
    next[job] = applyEvents(model, events);
    changed ||= next[job] !== model;
  }
  waiting.clear();
  for (const frame of frames) pictures.put(frame);
  if (frames.length > 0) useRuns.setState({ pictures: pictures.all() });
  frames = [];
  if (!changed) return;
  useRuns.setState({ runs: next });
  show();
}

interface Remembered {
  active: string | null;
  shown: Record<string, string>;
}

/** Which run each tab showed: a reloaded page goes on with it. */
function remembered(): Remembered {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(REMEMBERED) ?? "null");
    if (typeof found !== "object" || found === null) return { active: null, shown: {} };
    const { active, shown } = found as Partial<Remembered>;
    return { active: typeof active === "string" ? active : null, shown: { ...shown } };
  } catch {
    return { active: null, shown: {} };
  }
}

function remember(active: string | null, shown: Readonly<Record<string, string>>): void {
  try {
    sessionStorage.setItem(REMEMBERED, JSON.stringify({ active, shown }));
  } catch {
    // A browser that keeps nothing: only a reload forgets.
  }
}

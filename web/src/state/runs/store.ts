import { create } from "zustand";
import { api } from "../../api/client";
import { problemsOf } from "../../api/errors";
import type { Artifact, LogLine, NodeRun, PictureFrame, Problem, RunEvent } from "../../api/schema";
import { applyEvents, type Curves, EMPTY_RUN, fromSnapshot, isOver, type RunModel, settle, sinceOf } from "./model";
import { Pictures } from "./pictures";
import { remember, remembered } from "./remember";
import { makersOf, viewOf } from "./served";

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
  /** The runs that are shown, and those that made what they took from the cache; `viewOf` puts them together. */
  runs: Readonly<Record<string, RunModel>>;
  /** Runs that could not be read. */
  failures: Readonly<Record<string, Problem[]>>;

  /** Whether the active run is that of the graph in front: nodes of another graph may have the same names. */
  here: boolean;
  /** Of the active run, where the graph in front is its own; by flat id. */
  nodes: Readonly<Record<string, NodeRun>>;
  /** The same: addresses of the pictures of values. */
  pictures: Readonly<Record<string, string>>;
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
/** Runs that are read at once: what is shown and compared, and what they were made of. */
const MOST_READ = 24;

const NOTHING: Pick<RunStore, "here" | "nodes" | "pictures" | "series" | "artifacts" | "log"> = {
  here: false,
  nodes: {},
  pictures: {},
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
  follow: (id, canvas = true) => {
    const { tab, shown, active } = get();
    const next = { ...shown };
    if (tab !== null && canvas) {
      if (id === null) delete next[tab];
      else next[tab] = id;
    }
    if (id !== active) pictures.clear();
    set({ active: id, shown: next });
    settleDown();
  },
  enterTab: (tab) => {
    if (tab === get().tab) return;
    const { shown, active } = get();
    const own = tab === null ? undefined : shown[tab];
    const next = own ?? active;
    if (next !== active) pictures.clear();
    set({ tab, active: next });
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

/** Address of the latest picture of a node's value. */
export function useNodePicture(flat: string): string | undefined {
  return useRuns((state) => state.pictures[flat]);
}

const pictures = new Pictures();
let link: Link | null = null;
const followed = new Set<string>();
const loading = new Set<string>();

export function setLink(next: Link | null): void {
  link = next;
  followed.clear();
}

/** The runs that are shown, and those that made what they took from the cache. */
function wantedRuns(): Set<string> {
  const { active, compare, runs } = useRuns.getState();
  const wanted = new Set(active === null ? compare : [active, ...compare]);
  // A set that grows while one walks over it gives what was added too.
  for (const id of wanted) for (const maker of makersOf(runs[id])) if (wanted.size < MOST_READ) wanted.add(maker);
  return wanted;
}

/** Bring runs, follows and what is shown in line with what is wanted now. */
function settleDown(): void {
  const { active, runs, failures, shown } = useRuns.getState();
  const wanted = wantedRuns();
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
  const model = (state.active !== null && viewOf(state.active, state.runs)) || EMPTY_RUN;
  const here = state.tab !== null && state.active !== null && state.shown[state.tab] === state.active;
  const next = {
    here,
    nodes: here ? model.nodes : NOTHING.nodes,
    pictures: here ? pictures.over(model.pictures) : NOTHING.pictures,
    series: model.curves,
    artifacts: model.artifacts,
    log: model.log,
  };
  const names = Object.keys(next) as (keyof typeof next)[];
  if (names.some((name) => next[name] !== state[name])) useRuns.setState(next);
}

async function load(id: string): Promise<void> {
  if (loading.has(id)) return;
  loading.add(id);
  try {
    const [snapshot, series] = await Promise.all([api.snapshot(id), api.series(id)]);
    if (!wantedRuns().has(id)) return;
    const { runs } = useRuns.getState();
    const model = fromSnapshot(snapshot, series);
    useRuns.setState({ runs: { ...runs, [id]: model } });
    if (!isOver(snapshot.job)) {
      followed.add(id);
      link?.follow(id, sinceOf(model));
    }
    settleDown();
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
  if (frame.job !== useRuns.getState().active) return;
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
  const drawn = frames.length > 0;
  frames = [];
  if (changed) {
    useRuns.setState({ runs: next });
    settleDown();
  } else if (drawn) show();
}

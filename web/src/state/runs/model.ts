import { api } from "../../api/client";
import type {
  Artifact,
  Job,
  Json,
  LogLine,
  MadeBy,
  NodeRun,
  Problem,
  RunEvent,
  Series,
  Snapshot,
} from "../../api/schema";
import { addPoint, type Curve, curveOf, type GrowingCurve } from "./curve";
import { withInstances } from "./instances";

export type Curves = Readonly<Record<string, Readonly<Record<string, Curve>>>>;

/**
 * What a page knows of one run. Pure data; every change makes new objects for what changed and for nothing else, so
 * that a component that reads one node is drawn when that node changes. (The arrays inside a curve grow in place.)
 */
export interface RunModel {
  /** Events up to here are in nodes, artifacts and log … */
  readonly seq: number;
  /** … and up to here in the curves: both parts come from replies of their own. */
  readonly seriesSeq: number;
  /** By flat id. An instance of a subgraph has what the nodes inside of it add up to. */
  readonly nodes: Readonly<Record<string, NodeRun>>;
  readonly artifacts: readonly Artifact[];
  readonly log: readonly LogLine[];
  readonly curves: Curves;
  /** Address of the last picture of a node's value, as the server keeps it. */
  readonly pictures: Readonly<Record<string, string>>;
  readonly ended: boolean;
}

export const EMPTY_RUN: RunModel = {
  seq: 0,
  seriesSeq: 0,
  nodes: {},
  artifacts: [],
  log: [],
  curves: {},
  pictures: {},
  ended: false,
};

/** A page keeps the tail of a long log; all of it is in events.jsonl. */
const LOG_LINES = 5000;

export function fromSnapshot(snapshot: Snapshot, series: Series): RunModel {
  const curves: Record<string, Record<string, Curve>> = {};
  for (const [node, named] of Object.entries(series.series)) {
    const own: Record<string, Curve> = {};
    for (const [name, points] of Object.entries(named)) own[name] = curveOf(points);
    curves[node] = own;
  }
  const model: RunModel = {
    seq: snapshot.seq,
    seriesSeq: series.seq,
    nodes: withInstances({}, { ...snapshot.nodes }, Object.keys(snapshot.nodes)),
    artifacts: snapshot.artifacts,
    log: snapshot.log.slice(-LOG_LINES),
    curves,
    pictures: Object.fromEntries(
      Object.entries(snapshot.pictures).map(([node, stamp]) => [node, api.pictureUrl(snapshot.job.id, node, stamp)]),
    ),
    ended: false,
  };
  return isOver(snapshot.job) ? settle(model) : model;
}

export function isOver(job: Pick<Job, "status">): boolean {
  return job.status !== "queued" && job.status !== "running";
}

/** The event from which a page that has this model must follow the run. */
export function sinceOf(model: RunModel): number {
  return Math.min(model.seq, model.seriesSeq);
}

/** Take events in; those that are known already change nothing. */
export function applyEvents(model: RunModel, events: readonly RunEvent[]): RunModel {
  const draft = new Draft(model);
  for (const event of events) draft.take(event);
  return draft.done();
}

/** A run that is over runs nothing: a worker that was killed could not say so for its nodes. */
export function settle(model: RunModel): RunModel {
  const open = Object.entries(model.nodes).filter(([, run]) => run.state === "running");
  if (model.ended && open.length === 0) return model;
  const nodes: Record<string, NodeRun> = { ...model.nodes };
  for (const [id, run] of open) nodes[id] = { ...run, state: "waiting" };
  return { ...model, nodes, ended: true };
}

class Draft {
  private readonly before: RunModel;
  private seq: number;
  private seriesSeq: number;
  private readonly nodes = new Map<string, NodeRun>();
  private readonly artifacts: Artifact[] = [];
  private readonly lines: LogLine[] = [];
  private readonly grown = new Map<string, Set<string>>();
  private readonly fresh = new Map<string, Map<string, GrowingCurve>>();
  private ended: boolean;

  constructor(model: RunModel) {
    this.before = model;
    this.seq = model.seq;
    this.seriesSeq = model.seriesSeq;
    this.ended = model.ended;
  }

  take(event: RunEvent): void {
    if (event.seq > this.seriesSeq) {
      this.seriesSeq = event.seq;
      if (event.kind === "metric") this.metric(event);
      if (event.kind === "curve") this.earlier(event);
    }
    if (event.seq <= this.seq) return;
    this.seq = event.seq;
    const { node } = event;
    if (event.kind === "artifact") this.artifacts.push(artifactOf(event));
    else if (event.kind === "log") this.lines.push(lineOf(event));
    else if (event.kind === "run_done") this.finish(event.status === "done");
    else if (node !== undefined) {
      const next = nodeAfter(this.nodes.get(node) ?? this.before.nodes[node], event);
      if (next !== null) this.nodes.set(node, next);
    }
  }

  done(): RunModel {
    const { before } = this;
    if (this.seq === before.seq && this.seriesSeq === before.seriesSeq) return before;
    return {
      seq: this.seq,
      seriesSeq: this.seriesSeq,
      nodes: this.doneNodes(),
      artifacts: this.artifacts.length > 0 ? [...before.artifacts, ...this.artifacts] : before.artifacts,
      log: this.lines.length > 0 ? [...before.log, ...this.lines].slice(-LOG_LINES) : before.log,
      curves: this.doneCurves(),
      pictures: before.pictures,
      ended: this.ended,
    };
  }

  private doneNodes(): RunModel["nodes"] {
    if (this.nodes.size === 0) return this.before.nodes;
    const nodes = { ...this.before.nodes };
    for (const [id, run] of this.nodes) nodes[id] = run;
    return withInstances(this.before.nodes, nodes, [...this.nodes.keys()]);
  }

  private doneCurves(): Curves {
    if (this.grown.size === 0) return this.before.curves;
    const curves: Record<string, Readonly<Record<string, Curve>>> = { ...this.before.curves };
    for (const [node, names] of this.grown) {
      const own: Record<string, Curve> = { ...curves[node] };
      // A new object around the same arrays: whoever draws the curve sees that it changed.
      for (const name of names) own[name] = { ...this.curve(node, name) };
      curves[node] = own;
    }
    return curves;
  }

  private metric(event: RunEvent): void {
    const { node, step, values } = event;
    if (node === undefined || typeof step !== "number" || !isRecord(values)) return;
    for (const [name, value] of Object.entries(values)) this.point(node, name, step, value);
  }

  /** The curve of the steps that a training goes on from. */
  private earlier({ node, series }: RunEvent): void {
    if (node === undefined || !isRecord(series)) return;
    for (const [name, points] of Object.entries(series)) {
      if (!Array.isArray(points)) continue;
      for (const point of points) {
        const [step, value] = Array.isArray(point) ? point : [];
        if (typeof step === "number") this.point(node, name, step, value ?? null);
      }
    }
  }

  private point(node: string, name: string, step: number, value: Json | undefined): void {
    // NaN is no JSON number: the server sends null for it, and the curve has a gap there.
    if (typeof value !== "number" || !Number.isFinite(value)) return;
    addPoint(this.curve(node, name), step, value);
    this.grown.set(node, (this.grown.get(node) ?? new Set()).add(name));
  }

  private curve(node: string, name: string): GrowingCurve {
    const known = this.before.curves[node]?.[name];
    if (known) return known as GrowingCurve;
    const own = this.fresh.get(node) ?? new Map<string, GrowingCurve>();
    this.fresh.set(node, own);
    const curve = own.get(name) ?? { steps: [], values: [] };
    own.set(name, curve);
    return curve;
  }

  private finish(well: boolean): void {
    this.ended = true;
    const all = { ...this.before.nodes, ...Object.fromEntries(this.nodes) };
    for (const [id, run] of Object.entries(all)) {
      if (run.state === "running") this.nodes.set(id, { ...run, state: well ? "done" : "waiting" });
    }
  }
}

const KNOWN = new Set(["run", "seq", "t", "kind", "node", "value", "total"]);

/**
 * State of a node after an event. Nodes inside a region are not announced; their progress alone tells of them, so one
 * that has done all of its items is done until it begins again.
 */
function nodeAfter(before: NodeRun | undefined, event: RunEvent): NodeRun | null {
  switch (event.kind) {
    case "node_started":
      return { state: "running" };
    case "node_done":
      return {
        ...before,
        state: "done",
        ...(typeof event.seconds === "number" && { seconds: event.seconds }),
        ...(typeof event.key === "string" && { key: event.key }),
      };
    case "node_cached":
      return {
        state: "cached",
        ...(typeof event.key === "string" && { key: event.key }),
        ...(isRecord(event.made_by) && { made_by: event.made_by as unknown as MadeBy }),
      };
    case "node_skipped":
      return { state: "skipped" };
    case "node_failed":
      return {
        ...before,
        state: "failed",
        ...(isRecord(event.problem) && { problem: problemOf(event.problem) }),
        ...(typeof event.traceback === "string" && { traceback: event.traceback }),
      };
    case "checkpoint": {
      const { step, uri, forgotten } = event;
      if (typeof step !== "number" || typeof uri !== "string") return null;
      const gone = new Set<Json>(Array.isArray(forgotten) ? [step, ...forgotten] : [step]);
      const kept = (before?.checkpoints ?? []).filter((one) => !gone.has(one.step));
      return { state: "running", ...before, checkpoints: [...kept, { step, uri }] };
    }
    case "progress": {
      const { value, total } = event;
      if (typeof value !== "number" || typeof total !== "number") return null;
      const numbers: Record<string, number> = {};
      for (const [name, item] of Object.entries(event)) {
        if (!KNOWN.has(name) && typeof item === "number") numbers[name] = item;
      }
      const more = Object.keys(numbers).length > 0 ? { numbers } : {};
      return { ...before, state: value >= total ? "done" : "running", value, total, ...more };
    }
    default:
      return null;
  }
}

function artifactOf(event: RunEvent): Artifact {
  const { run: _run, kind: _kind, ...rest } = event;
  return rest as Artifact;
}

function lineOf(event: RunEvent): LogLine {
  const { seq, t, node, level, message } = event;
  const text = typeof message === "string" ? message : JSON.stringify(message ?? "");
  return {
    seq,
    t,
    ...(node !== undefined && { node }),
    level: typeof level === "string" ? level : "info",
    message: text,
  };
}

function problemOf(value: Record<string, Json | undefined>): Problem {
  return value as unknown as Problem;
}

function isRecord(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

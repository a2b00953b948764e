import type { Artifact, Checkpoint, NodeRun } from "../api/schema";
import type { Curves } from "../state/run";
import { type Curve, thin } from "../state/runs/curve";
import { cut, smooth } from "../state/runs/curveViews";

/** What the chart draws, made of what runs measured. Pure. */

export const MOST_POINTS = 2000;
/** --series-0 … of Chart.module.css. */
export const COLOURS = 8;

export interface RunCurves {
  job: string;
  title: string;
  curves: Curves;
}
export interface SeriesInfo {
  /** "job node.name", unique in the chart. */
  key: string;
  job: string;
  /** "node.name": the same in every run. */
  name: string;
  /** Which run, where there are several; else "". */
  run: string;
  label: string;
  /** Learning rates have an axis of their own. */
  axis: "value" | "rate";
  /** Of an overlaid run: drawn dashed. */
  overlaid: boolean;
  /** Which colour of the palette. */
  colour: number;
  curve: Curve;
}

function isRate(name: string): boolean {
  return /(^|[._])(lr|learning_rate)([_/]|$)/.test(name);
}

/** All series of the runs, the shown run first; a measure keeps its colour as long as its run is shown. */
export function seriesOf(runs: readonly RunCurves[]): SeriesInfo[] {
  const found: SeriesInfo[] = [];
  for (const [position, run] of runs.entries()) {
    const names = Object.entries(run.curves)
      .flatMap(([node, own]) => Object.entries(own).map(([name, curve]) => ({ name: `${node}.${name}`, curve })))
      .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
    for (const { name, curve } of names) {
      found.push({
        key: `${run.job} ${name}`,
        job: run.job,
        name,
        run: runs.length > 1 ? run.title : "",
        label: runs.length > 1 ? `${name} (${run.title})` : name,
        axis: isRate(name) ? "rate" : "value",
        overlaid: position > 0,
        colour: found.length,
        curve,
      });
    }
  }
  return found;
}

/** The loss first, rates last. */
function rank(name: string): number {
  if (isRate(name)) return 2;
  return name.endsWith(".loss") ? 0 : 1;
}

export interface Line {
  series: SeriesInfo;
  /** The faint line under a smoothed one. */
  raw: boolean;
  curve: Curve;
}

export interface DrawOptions {
  smoothing: number;
  log: boolean;
  /** Steps in sight; null: all. */
  view: readonly [number, number] | null;
}

/**
 * Lines to draw, raw ones below. Smoothing comes before cutting and thinning: zooming in must not change the line. A
 * rate is exact and is never smoothed; nor is what has few points, such as a validation loss.
 */
export function linesOf(series: readonly SeriesInfo[], { smoothing, log, view }: DrawOptions): Line[] {
  const [below, above]: [Line[], Line[]] = [[], []];
  for (const one of series) {
    const smoothed = smoothing > 0 && one.axis === "value" && one.curve.steps.length >= FEW;
    const draw = (curve: Curve) => {
      const part = view === null ? curve : cut(curve, view[0], view[1]);
      return thin(log ? positive(part) : part, MOST_POINTS);
    };
    if (smoothed) below.push({ series: one, raw: true, curve: draw(one.curve) });
    above.push({ series: one, raw: false, curve: draw(smoothed ? smooth(one.curve, smoothing) : one.curve) });
  }
  return [...below, ...above];
}

const FEW = 20;

/** A logarithmic axis has no place for zero and below. */
function positive(curve: Curve): Curve {
  if (curve.values.every((value) => value > 0)) return curve;
  const kept = curve.values.flatMap((value, index) => (value > 0 ? [index] : []));
  return { steps: kept.map((at) => curve.steps[at] ?? 0), values: kept.map((at) => curve.values[at] ?? 0) };
}

/** Lines over one common axis, as uPlot takes them: `undefined` where a line has no point at a step. */
export function aligned(lines: readonly Line[]): [number[], ...(number | undefined)[][]] {
  const steps = [...new Set(lines.flatMap((line) => line.curve.steps))].sort((a, b) => a - b);
  const place = new Map(steps.map((step, index) => [step, index]));
  const columns = lines.map(({ curve }) => {
    const column: (number | undefined)[] = new Array(steps.length).fill(undefined);
    for (const [index, step] of curve.steps.entries()) column[place.get(step) ?? 0] = curve.values[index];
    return column;
  });
  return [steps, ...columns];
}

export interface Marker {
  step: number;
  kind: "image" | "weights" | "checkpoint";
  uris: string[];
  /** What can be looked at. */
  pictures: Artifact[];
}

/** What was written at a step of a training, one marker a step and kind; of checkpoints, those that are still there. */
export function markersOf(artifacts: readonly Artifact[], checkpoints: readonly Checkpoint[]): Marker[] {
  const found = new Map<string, Marker>();
  const markerAt = (step: number, kind: Marker["kind"]) => {
    const key = `${step} ${kind}`;
    const marker = found.get(key) ?? { step, kind, uris: [], pictures: [] };
    found.set(key, marker);
    return marker;
  };
  for (const artifact of artifacts) {
    const { step, type, uri } = artifact;
    if (typeof step !== "number" || (type !== "image" && type !== "weights")) continue;
    const marker = markerAt(step, type);
    marker.uris.push(uri);
    if (type === "image") marker.pictures.push(artifact);
  }
  for (const { step, uri } of checkpoints) markerAt(step, "checkpoint").uris.push(uri);
  return [...found.values()].sort((a, b) => a.step - b.step || a.kind.localeCompare(b.kind));
}

/** Checkpoints of all loops of a run; an instance of a subgraph repeats those of the loop in it. */
export function checkpointsOf(nodes: Readonly<Record<string, NodeRun>>): Checkpoint[] {
  const all = Object.values(nodes).flatMap((run) => run.checkpoints ?? []);
  return [...new Map(all.map((one) => [one.uri, one])).values()];
}

export interface PlacedMarkers {
  /** Pixels from the left of the plot. */
  x: number;
  markers: Marker[];
}

/** Markers that would lie on each other become one, at the place of the first. */
export function cluster(placed: readonly { x: number; marker: Marker }[], width: number): PlacedMarkers[] {
  const found: PlacedMarkers[] = [];
  for (const { x, marker } of placed) {
    const last = found.at(-1);
    if (last && x - last.x < width) last.markers.push(marker);
    else found.push({ x, markers: [marker] });
  }
  return found;
}

const ROWS = 200;

export interface TableRow {
  step: number;
  /** By the key of a series. */
  values: Record<string, number>;
  /** What was written at this step. */
  uris: readonly string[];
}

/** The curves as rows, newest first: their points, thinned to what a person can read, and every step with files. */
export function rowsOf(series: readonly SeriesInfo[], markers: readonly Marker[]): TableRow[] {
  const rows = new Map<number, TableRow>();
  for (const { step, uris } of markers) {
    rows.set(step, { step, values: {}, uris: [...(rows.get(step)?.uris ?? []), ...uris] });
  }
  const share = Math.max(4, Math.floor(ROWS / Math.max(1, series.length)));
  for (const one of series) {
    const { steps, values } = thin(one.curve, share);
    for (const [index, step] of steps.entries()) {
      const row = rows.get(step) ?? { step, values: {}, uris: [] };
      const value = values[index];
      if (value !== undefined) row.values[one.key] = value;
      rows.set(step, row);
    }
  }
  // A step of one series shows the others too where they have a point there.
  for (const one of series) {
    const at = new Map(one.curve.steps.map((step, index) => [step, index]));
    for (const row of rows.values()) {
      const index = at.get(row.step);
      const value = index === undefined ? undefined : one.curve.values[index];
      if (value !== undefined) row.values[one.key] = value;
    }
  }
  return [...rows.values()].sort((a, b) => b.step - a.step);
}

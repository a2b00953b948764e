/**
 * Curves of a run: how they are kept while events come in, thinned for drawing, and smoothed. Steps ascend strictly.
 */

export interface Curve {
  /** Replaced whenever points come in; the two arrays inside grow in place. */
  readonly steps: readonly number[];
  readonly values: readonly number[];
}
export interface GrowingCurve extends Curve {
  readonly steps: number[];
  readonly values: number[];
}
export type Points = readonly (readonly [number, number])[];

/** A page that stays open over a training of millions of steps keeps this many points; the server has them all. */
export const CAPACITY = 60_000;
const KEPT = 20_000;

export function curveOf(points: Points): GrowingCurve {
  const curve: GrowingCurve = { steps: [], values: [] };
  for (const [step, value] of points) addPoint(curve, step, value);
  return curve;
}

/** Add a point in place; a step that is there already takes the new value (a resumed loop repeats its last steps). */
export function addPoint(curve: GrowingCurve, step: number, value: number): void {
  const { steps, values } = curve;
  const last = steps.at(-1);
  if (last === undefined || step > last) {
    steps.push(step);
    values.push(value);
    if (steps.length > CAPACITY) shrink(curve);
    return;
  }
  const at = lowerBound(steps, step);
  if (steps[at] === step) values[at] = value;
  else {
    steps.splice(at, 0, step);
    values.splice(at, 0, value);
  }
}

function shrink(curve: GrowingCurve): void {
  const kept = thin(curve, KEPT);
  curve.steps.splice(0, curve.steps.length, ...kept.steps);
  curve.values.splice(0, curve.values.length, ...kept.values);
}

/** Index of the first step that is not below `step`. */
export function lowerBound(steps: readonly number[], step: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? 0) < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * At most `limit` (≥ 4) points that keep every spike: the lowest and the highest of equal stretches of steps, and both
 * ends. Stretches of steps and not of points, because the older part of a curve may be thinned already.
 */
export function thin(curve: Curve, limit: number): Curve {
  const { steps, values } = curve;
  const count = steps.length;
  if (count <= limit) return curve;
  const [first, last] = [steps[0] ?? 0, steps[count - 1] ?? 0];
  const buckets = Math.max(1, Math.floor((limit - 2) / 2));
  const width = (last - first) / buckets;
  const kept: number[] = [0];
  let index = 1;
  for (let bucket = 0; bucket < buckets && index < count - 1; bucket++) {
    const end = bucket === buckets - 1 ? Number.POSITIVE_INFINITY : first + width * (bucket + 1);
    let [low, high] = [-1, -1];
    for (; index < count - 1 && (steps[index] ?? 0) < end; index++) {
      const value = values[index] ?? 0;
      if (low < 0 || value < (values[low] ?? 0)) low = index;
      if (high < 0 || value > (values[high] ?? 0)) high = index;
    }
    if (low < 0) continue;
    if (low !== high) kept.push(Math.min(low, high), Math.max(low, high));
    else kept.push(low);
  }
  kept.push(count - 1);
  return { steps: kept.map((at) => steps[at] ?? 0), values: kept.map((at) => values[at] ?? 0) };
}

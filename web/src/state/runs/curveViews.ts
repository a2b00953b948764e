import { type Curve, lowerBound } from "./curve";

/** What a chart makes of a curve: a part of it, a smooth line, a summary in words. */

/** The part of a curve between two steps, with one point more at each side so that lines reach the border. */
export function cut(curve: Curve, from: number, to: number): Curve {
  const begin = Math.max(0, lowerBound(curve.steps, from) - 1);
  const end = Math.min(curve.steps.length, lowerBound(curve.steps, to) + 1);
  if (begin === 0 && end === curve.steps.length) return curve;
  return { steps: curve.steps.slice(begin, end), values: curve.values.slice(begin, end) };
}

/** Exponents refer to a curve of at most so many points: a longer one is smoothed over the same share of its length. */
const REFERENCE = 1000;

/**
 * Moving average with exponential weights, 0 ≤ weight < 1, unbiased at the start. Weights fall with the distance in
 * steps, so that a thinned curve gives the line of the full one; up to 1,000 evenly spaced points it is the usual
 * `average = weight · average + (1 − weight) · value`.
 */
export function smooth(curve: Curve, weight: number): Curve {
  const { steps, values } = curve;
  const count = steps.length;
  if (weight <= 0 || count < 3) return curve;
  const range = (steps[count - 1] ?? 0) - (steps[0] ?? 0);
  const scale = Math.min(REFERENCE, count - 1) / range;
  const averages: number[] = [];
  let [sum, total] = [0, 0];
  for (let index = 0; index < count; index++) {
    const gap = index === 0 ? 0 : (steps[index] ?? 0) - (steps[index - 1] ?? 0);
    const fall = weight ** (gap * scale);
    sum = sum * fall + (values[index] ?? 0) * (1 - weight);
    total = total * fall + (1 - weight);
    averages.push(sum / total);
  }
  return { steps, values: averages };
}

export interface CurveSummary {
  last: number;
  lastStep: number;
  lowest: number;
  lowestStep: number;
  trend: "falling" | "rising" | "level" | "unknown";
}

/** What a curve says in words; the trend compares the mean of the last tenth with that of the tenth before it. */
export function summarise(curve: Curve): CurveSummary | null {
  const { steps, values } = curve;
  const count = values.length;
  if (count === 0) return null;
  let lowest = 0;
  for (let index = 1; index < count; index++) if ((values[index] ?? 0) < (values[lowest] ?? 0)) lowest = index;
  return {
    last: values[count - 1] ?? 0,
    lastStep: steps[count - 1] ?? 0,
    lowest: values[lowest] ?? 0,
    lowestStep: steps[lowest] ?? 0,
    trend: trendOf(values),
  };
}

const LEVEL = 0.02;

function trendOf(values: readonly number[]): CurveSummary["trend"] {
  const tenth = Math.floor(values.length / 10);
  if (tenth < 2) return "unknown";
  const after = mean(values.slice(-tenth));
  const before = mean(values.slice(-2 * tenth, -tenth));
  const change = (after - before) / (Math.abs(before) || 1);
  if (Math.abs(change) < LEVEL) return "level";
  return change < 0 ? "falling" : "rising";
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

import type { SettingSchema } from "../api/schema";

export interface Bounds {
  /** Smallest and largest legal values, with an exclusive limit moved inwards by the smallest sensible amount. */
  min: number;
  max: number;
  step: number;
  integer: boolean;
  log: boolean;
}

const INWARDS = 1e-9;

/** What a number may be and how far one step goes. */
export function boundsOf(schema: SettingSchema, hint: { step?: number; log?: boolean }): Bounds {
  const integer = schema.type === "integer";
  const multiple = typeof schema.multipleOf === "number" ? schema.multipleOf : undefined;
  const nudge = integer ? 1 : INWARDS;
  const min = schema.minimum ?? (schema.exclusiveMinimum === undefined ? -Infinity : schema.exclusiveMinimum + nudge);
  const max = schema.maximum ?? (schema.exclusiveMaximum === undefined ? Infinity : schema.exclusiveMaximum - nudge);
  const span = max - min;
  const guessed = Number.isFinite(span) && span <= 2 ? 0.01 : 0.1;
  return { min, max, step: hint.step ?? multiple ?? (integer ? 1 : guessed), integer, log: hint.log === true };
}

/** A number as people in this field write it: 0.05, 1e-4, 2.5e-6; always short and read back to the same value. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && (size < 0.001 || size >= 1e15)) return value.toExponential().replace("e+", "e");
  return String(value);
}

/** A number without an exponent, as ARIA attributes want it; undefined for one without an end. */
export function plainNumber(value: number | null): string | undefined {
  if (value === null || !Number.isFinite(value)) return undefined;
  return value.toLocaleString("en", { useGrouping: false, maximumFractionDigits: 20 });
}

/** What somebody wrote as a number, or null. Takes 1e-4, .5, 1_000, a decimal comma, and full-width digits of an IME. */
export function parseNumber(text: string, integer = false): number | null {
  let plain = text.normalize("NFKC").replaceAll("−", "-").replace(/[\s_]/g, "");
  if (/^[^.,]*,[^.,]*$/.test(plain)) plain = plain.replace(",", ".");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return null;
  const value = Number(plain);
  if (!Number.isFinite(value)) return null;
  if (!integer) return value;
  return Number.isInteger(value) && Number.isSafeInteger(value) ? value : null;
}

function clamp(value: number, { min, max }: { min: number; max: number }): number {
  return Math.min(max, Math.max(min, value));
}

/** Cut the noise of binary fractions: 0.1 + 0.2 is 0.3. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** One step up or down: additive, or for a logarithmic setting to the next two-digit number (1e-4, 1.1e-4 … 9.9e-4, 1e-3). */
export function stepped(value: number, steps: number, bounds: Bounds): number {
  if (!bounds.log) return tidy(clamp(Math.round((value + steps * bounds.step) * 1e12) / 1e12, bounds));
  if (value === 0) return steps > 0 ? clamp(Math.max(LOG_FLOOR, bounds.min), bounds) : clamp(0, bounds);
  const decade = 10 ** Math.floor(Math.log10(Math.abs(value)) + 1e-12);
  const unit = decade / 10;
  const next = tidy(value + Math.sign(steps) * Math.max(1, Math.abs(steps)) * unit);
  return clamp(Math.abs(next) < unit * 0.5 ? 0 : next, bounds);
}

const LOG_FLOOR = 1e-7;
const LOG_CEILING = 0.1;
/** Above this many steps a slider over the whole legal range could not be aimed; it then spans what is usual. */
const MANY_STEPS = 400;

/** 1, 2, 5, 10, 20, 50 … and powers of two between for settings that count in eights: the next round number. */
function roundUp(value: number, step: number): number {
  if (step >= 8) return 2 ** Math.ceil(Math.log2(value));
  const decade = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * decade >= value - 1e-12) ?? 10;
  return factor * decade;
}

/** The range that a slider spans. The box beside it takes everything legal; the slider grows to a value beyond its end. */
export function sliderRange(bounds: Bounds, typical: number, value: number): { min: number; max: number } {
  if (bounds.log) {
    const min = bounds.min > 0 ? bounds.min : Math.min(LOG_FLOOR, value > 0 ? value : LOG_FLOOR);
    return { min, max: Number.isFinite(bounds.max) ? bounds.max : Math.max(LOG_CEILING, value) };
  }
  const min = Number.isFinite(bounds.min) ? bounds.min : Math.min(0, value);
  if ((bounds.max - min) / bounds.step <= MANY_STEPS) return { min, max: bounds.max };
  const usual = roundUp(Math.max(Math.abs(typical) * 4, value, bounds.step * 10), bounds.step);
  return { min, max: Math.min(bounds.max, usual) };
}

/** Positions of the thumb, 0 … this. */
export const NOTCHES = 1000;

export function toNotch(value: number, range: { min: number; max: number }, log: boolean): number {
  if (!log) return range.max === range.min ? 0 : ((value - range.min) / (range.max - range.min)) * NOTCHES;
  if (value <= range.min) return 0;
  return (Math.log(value / range.min) / Math.log(range.max / range.min)) * NOTCHES;
}

/** The value under the thumb: on a step, or for a logarithmic one with two digits. */
export function fromNotch(notch: number, range: { min: number; max: number }, bounds: Bounds): number {
  const part = notch / NOTCHES;
  if (bounds.log) {
    if (notch <= 0) return bounds.min > 0 ? bounds.min : clamp(0, bounds);
    const raw = range.min * (range.max / range.min) ** part;
    return clamp(bounds.integer ? Math.round(raw) : Number(raw.toPrecision(2)), bounds);
  }
  const raw = range.min + (range.max - range.min) * part;
  if (part >= 1) return tidy(clamp(range.max, bounds));
  const base = bounds.step > 1 && range.min % bounds.step !== 0 ? 0 : range.min;
  return tidy(clamp(base + Math.round((raw - base) / bounds.step) * bounds.step, bounds));
}

import { describe, expect, it } from "vitest";
import { addPoint, CAPACITY, type Curve, curveOf, type GrowingCurve, thin } from "./curve";
import { cut, smooth, summarise } from "./curveViews";

function made(count: number, value: (step: number) => number): GrowingCurve {
  const steps = Array.from({ length: count }, (_, index) => index + 1);
  return { steps, values: steps.map(value) };
}
/** Noise that is the same at every run of the test. */
const noise = (step: number) => ((step * 7919) % 1000) / 1000;

describe("thin", () => {
  it("keeps both ends, every spike and the order, within the limit", () => {
    const curve = made(50_000, noise);
    curve.values[12_345] = 99;
    curve.values[40_001] = -99;
    const small = thin(curve, 2000);
    expect(small.steps.length).toBeLessThanOrEqual(2000);
    expect(small.steps.length).toBeGreaterThan(1500);
    expect([small.steps[0], small.steps.at(-1)]).toEqual([1, 50_000]);
    expect(Math.max(...small.values)).toBe(99);
    expect(Math.min(...small.values)).toBe(-99);
    expect([...small.steps]).toEqual([...small.steps].sort((a, b) => a - b));
    for (const [index, step] of small.steps.entries()) expect(small.values[index]).toBe(curve.values[step - 1]);
  });

  it("leaves a short curve as it is", () => {
    const curve = made(2000, noise);
    expect(thin(curve, 2000)).toBe(curve);
  });

  it("shares points by steps: a part that is thinned already gets its room", () => {
    const steps = [
      ...Array.from({ length: 100 }, (_, i) => i * 100),
      ...Array.from({ length: 5000 }, (_, i) => 1e4 + i),
    ];
    const small = thin({ steps, values: steps.map(noise) }, 300);
    const old = small.steps.filter((step) => step < 1e4).length;
    expect(old).toBeGreaterThan(80);
  });
});

describe("addPoint", () => {
  it("takes points in any order and a repeated step once", () => {
    const curve = curveOf([]);
    for (const step of [3, 1, 2, 2, 5, 4]) addPoint(curve, step, step * 10);
    addPoint(curve, 3, 7);
    expect(curve).toEqual({ steps: [1, 2, 3, 4, 5], values: [10, 20, 7, 40, 50] });
  });

  it("does not grow without end, and loses no spike by that", () => {
    const curve = curveOf([]);
    for (let step = 1; step <= CAPACITY + 10; step++) addPoint(curve, step, step === 777 ? 5 : 0.5);
    expect(curve.steps.length).toBeLessThan(CAPACITY / 2);
    expect(Math.max(...curve.values)).toBe(5);
    expect(curve.steps.at(-1)).toBe(CAPACITY + 10);
  });
});

describe("smooth", () => {
  it("is the usual unbiased moving average for evenly spaced points", () => {
    const curve = made(60, noise);
    const smoothed = smooth(curve, 0.9);
    let [average, weight] = [0, 0];
    for (const [index, value] of curve.values.entries()) {
      average = 0.9 * average + 0.1 * value;
      weight = 0.9 * weight + 0.1;
      expect(smoothed.values[index]).toBeCloseTo(average / weight, 12);
    }
  });

  it("keeps a constant and begins at the first value", () => {
    expect(
      smooth(
        made(40, () => 3),
        0.99,
      ).values.every((value) => Math.abs(value - 3) < 1e-12),
    ).toBe(true);
    expect(smooth(made(40, noise), 0.99).values[0]).toBeCloseTo(noise(1), 12);
  });

  it("gives a thinned curve the line of the full one", () => {
    const full = made(20_000, (step) => 1 / Math.sqrt(step) + 0.02 * noise(step));
    const line = smooth(full, 0.9);
    const thinned = smooth(thin(full, 2000), 0.9);
    for (const at of [500, 1000, 1900]) {
      const step = thinned.steps[at] ?? 0;
      expect(Math.abs((thinned.values[at] ?? 0) - (line.values[step - 1] ?? 0))).toBeLessThan(0.004);
    }
  });

  it("changes nothing at weight zero", () => {
    const curve = made(30, noise);
    expect(smooth(curve, 0)).toBe(curve);
  });
});

describe("cut", () => {
  it("keeps one point beyond each border", () => {
    const curve: Curve = { steps: [1, 5, 10, 15, 20], values: [1, 2, 3, 4, 5] };
    expect(cut(curve, 9, 11)).toEqual({ steps: [5, 10, 15], values: [2, 3, 4] });
    expect(cut(curve, 0, 99)).toBe(curve);
  });
});

describe("summarise", () => {
  it("names the last value, the lowest and the trend", () => {
    const falling = summarise(made(100, (step) => 1 / step));
    expect(falling).toMatchObject({ last: 0.01, lastStep: 100, lowest: 0.01, lowestStep: 100, trend: "falling" });
    expect(summarise(made(100, (step) => step))?.trend).toBe("rising");
    expect(summarise(made(100, () => 1))?.trend).toBe("level");
    expect(summarise(made(5, noise))?.trend).toBe("unknown");
    expect(summarise({ steps: [], values: [] })).toBeNull();
  });
});

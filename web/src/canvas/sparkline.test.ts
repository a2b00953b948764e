import { expect, test } from "vitest";
import { sparkline } from "./sparkline";

const ys = (path: string | null) => [...(path ?? "").matchAll(/[ML][\d.]+ ([\d.]+)/g)].map((match) => Number(match[1]));

test("a falling loss falls on the screen, and stays in the box", () => {
  const values = Array.from({ length: 500 }, (_, step) => 2 * 0.99 ** step);
  const points = ys(sparkline(values, 100, 20));
  expect(points).toHaveLength(50);
  expect(points.every((y, at) => at === 0 || y >= (points[at - 1] ?? 0))).toBe(true);
  expect(Math.min(...points)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...points)).toBeLessThanOrEqual(20);
  // Exponential decay is a straight line on a log scale.
  expect((points[25] ?? 0) - (points[0] ?? 0)).toBeCloseTo((points[49] ?? 0) - (points[24] ?? 0), 0);
});

test("what is not finite is left out; a single point is no curve", () => {
  expect(sparkline([1, Number.NaN, 1], 50, 10)).not.toContain("NaN");
  expect(sparkline([0.5], 50, 10)).toBeNull();
  expect(sparkline([-1, 1], 50, 10)).not.toBeNull();
});

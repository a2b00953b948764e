import { expect, test } from "vitest";
import type { Body } from "../api/schema";
import { nextPort, walk } from "./walk";

const node = { type: "t", version: 1 };
const body: Body = {
  nodes: { a: node, b: node, c: node, sum: node, alone: node },
  edges: { "sum.x.0": "a.out", "sum.x.1": "b.out", "sum.x.2": "c.out", "sum.y": "gone.out" },
  interface: {},
  view: {},
};
const places: Record<string, [number, number]> = {
  a: [0, 0],
  b: [0, 120],
  c: [0, 400],
  sum: [300, 130],
  alone: [900, 0],
};
const placeOf = (id: string) => ({ x: places[id]?.[0] ?? 0, y: places[id]?.[1] ?? 0 });

test("left and right lead along wires to the nearest node", () => {
  expect(walk(body, "sum", "left", placeOf)).toBe("b");
  expect(walk(body, "a", "right", placeOf)).toBe("sum");
  expect(walk(body, "sum", "right", placeOf)).toBeNull();
});

test("up and down lead to what hangs on the same node", () => {
  expect(walk(body, "b", "up", placeOf)).toBe("a");
  expect(walk(body, "b", "down", placeOf)).toBe("c");
  expect(walk(body, "a", "up", placeOf)).toBeNull();
  expect(walk(body, "alone", "down", placeOf)).toBeNull();
});

test("ports are a ring", () => {
  const ports = ["n.a", "n.b", "n.c"];
  expect(nextPort(ports, null, 1)).toBe("n.a");
  expect(nextPort(ports, null, -1)).toBe("n.c");
  expect(nextPort(ports, "n.c", 1)).toBe("n.a");
  expect(nextPort(ports, "n.a", -1)).toBe("n.c");
  expect(nextPort(ports, "other.a", 1)).toBe("n.a");
  expect(nextPort([], null, 1)).toBeNull();
});

import { expect, test } from "vitest";
import { align, distribute } from "./align";

const boxes = new Map([
  ["a", { x: 0, y: 10, w: 100, h: 40 }],
  ["b", { x: 300, y: 50, w: 50, h: 80 }],
  ["c", { x: 130, y: 0, w: 20, h: 20 }],
]);

test("edges and middles come to stand in a line", () => {
  expect([...align(boxes, "left").values()].map(([x]) => x)).toEqual([0, 0, 0]);
  expect([...align(boxes, "right").values()].map(([x]) => x)).toEqual([250, 300, 330]);
  expect(align(boxes, "bottom").get("c")).toEqual([130, 110]);
  expect(align(boxes, "middle").get("b")).toEqual([300, 25]);
  expect(align(boxes, "center").get("a")).toEqual([125, 10]);
  expect(align(boxes, "top").get("a")).toEqual([0, 0]);
});

test("gaps become equal and the outermost two stay", () => {
  const places = distribute(boxes, "horizontal");
  expect(places.get("a")).toEqual([0, 10]);
  expect(places.get("b")).toEqual([300, 50]);
  // 350 in all, 170 of it boxes: two gaps of 90.
  expect(places.get("c")).toEqual([190, 0]);
});

test("two boxes have no gap to share", () => {
  expect(distribute(new Map([...boxes].slice(0, 2)), "vertical").size).toBe(0);
});

import type { Box } from "../graph/geometry";

export type Align = "left" | "center" | "right" | "top" | "middle" | "bottom";
export type Axis = "horizontal" | "vertical";

/** New places of boxes so that one of their edges, or their middles, stand in a line. */
export function align(boxes: ReadonlyMap<string, Box>, how: Align): Map<string, [number, number]> {
  const all = [...boxes.values()];
  const left = Math.min(...all.map((box) => box.x));
  const right = Math.max(...all.map((box) => box.x + box.w));
  const top = Math.min(...all.map((box) => box.y));
  const bottom = Math.max(...all.map((box) => box.y + box.h));
  const place = (box: Box): [number, number] => {
    if (how === "left") return [left, box.y];
    if (how === "right") return [right - box.w, box.y];
    if (how === "center") return [(left + right - box.w) / 2, box.y];
    if (how === "top") return [box.x, top];
    if (how === "bottom") return [box.x, bottom - box.h];
    return [box.x, (top + bottom - box.h) / 2];
  };
  return new Map([...boxes].map(([id, box]) => [id, round(place(box))]));
}

/** New places so that the gaps between neighbours are equal; the outermost two stay. Fewer than three stay as they are. */
export function distribute(boxes: ReadonlyMap<string, Box>, axis: Axis): Map<string, [number, number]> {
  const start = (box: Box) => (axis === "horizontal" ? box.x : box.y);
  const size = (box: Box) => (axis === "horizontal" ? box.w : box.h);
  const order = [...boxes].sort(([, a], [, b]) => start(a) - start(b));
  const [first, last] = [order[0]?.[1], order.at(-1)?.[1]];
  const places = new Map<string, [number, number]>();
  if (!first || !last || order.length < 3) return places;
  const taken = order.reduce((sum, [, box]) => sum + size(box), 0);
  const gap = (start(last) + size(last) - start(first) - taken) / (order.length - 1);
  let at = start(first);
  for (const [id, box] of order) {
    places.set(id, round(axis === "horizontal" ? [at, box.y] : [box.x, at]));
    at += size(box) + gap;
  }
  return places;
}

function round([x, y]: [number, number]): [number, number] {
  return [Math.round(x), Math.round(y)];
}

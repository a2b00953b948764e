import type { Body } from "../api/schema";
import { children } from "./body";

/** Boxes of the canvas where nothing has been drawn yet: for layout, for edits, for tests. */
export interface Size {
  w: number;
  h: number;
}
export interface Box extends Size {
  x: number;
  y: number;
}

export const NODE_SIZE: Size = { w: 240, h: 120 };
export const REGION_SIZE: Size = { w: 360, h: 160 };
/** Free space between the edge of a region and what lies in it; above there are the title and the ports. */
export const REGION_PADDING = { side: 24, top: 96, bottom: 24 };

/** The box of a node: place and size of the file, size as drawn, else a usual one. */
export function nodeBox(body: Body, id: string, sizes: ReadonlyMap<string, Size>): Box {
  if ((children(body).get(id)?.length ?? 0) > 0) return regionBounds(body, id, sizes) ?? { x: 0, y: 0, ...REGION_SIZE };
  const [x = 0, y = 0, w, h] = body.view.nodes?.[id] ?? [];
  const size = sizes.get(id) ?? NODE_SIZE;
  return { x, y, w: w ?? size.w, h: h ?? size.h };
}

/** The box of a region: its own place and size, grown so that everything in it lies inside; null for an empty one. */
export function regionBounds(body: Body, owner: string, sizes: ReadonlyMap<string, Size>): Box | null {
  const own = body.view.nodes?.[owner];
  const content = bounds((children(body).get(owner) ?? []).map((id) => nodeBox(body, id, sizes)));
  if (!content && !own) return null;
  const { side, top, bottom } = REGION_PADDING;
  const [x = Number.POSITIVE_INFINITY, y = Number.POSITIVE_INFINITY, w, h] = own ?? [];
  const boxes: Box[] = [];
  if (content) {
    const { x: left, y: upper } = content;
    boxes.push({ x: left - side, y: upper - top, w: content.w + 2 * side, h: content.h + top + bottom });
  }
  if (own) boxes.push({ x, y, w: w ?? (content ? 0 : REGION_SIZE.w), h: h ?? (content ? 0 : REGION_SIZE.h) });
  return bounds(boxes);
}

/** The box around boxes; null around none. */
export function bounds(boxes: readonly [Box, ...Box[]]): Box;
export function bounds(boxes: readonly Box[]): Box | null;
export function bounds(boxes: readonly Box[]): Box | null {
  if (boxes.length === 0) return null;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.w));
  const bottom = Math.max(...boxes.map((box) => box.y + box.h));
  return { x, y, w: right - x, h: bottom - y };
}

/** The middle of the places of some nodes; sizes do not count, so that it is the same wherever it is computed. */
export function middle(places: readonly (readonly number[])[]): [number, number] {
  const box = bounds(places.map(([x = 0, y = 0]) => ({ x, y, w: 0, h: 0 })));
  return box ? [Math.round(box.x + box.w / 2), Math.round(box.y + box.h / 2)] : [0, 0];
}

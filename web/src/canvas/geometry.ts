import type { Box, Size } from "../graph/geometry";
import type { NodeShape, SettingView } from "../graph/ports";
import { isLong } from "../widgets/label";

/** Sizes of what the canvas draws, in canvas units. The style sheets take them from here through custom properties. */
export const NODE_WIDTH = 240;
export const HEADER = 30;
export const PORT_ROW = 24;
const SETTING_ROW = 30;
/** What a value that stands below its label adds. */
const BELOW = 26;
export const PAD = 4;
/** The bar of a region with its entries and exits. */
const RAIL = 26;
/** Free space between the edge of a region that sizes itself and what lies in it. */
export const REGION_PAD = 24;
export const REGION_MIN_WIDTH = 360;
/** Height of the inside of an empty region. */
export const REGION_INSIDE = 80;
export const REROUTE = 24;
/** Below this zoom a node is a box with a title. */
export const DETAIL_ZOOM = 0.35;
/** From here on only what is in sight is in the page. */
export const MANY_NODES = 150;
/** Settings that a node shows at most; the inspector has them all. */
export const SETTINGS_SHOWN = 6;

/** The settings that stand in a node: the ones that matter most and the ones somebody changed. */
export function shownSettings(shape: NodeShape): { shown: SettingView[]; more: number } {
  const worth = shape.settings.filter((one) => one.wired !== null);
  const rest = shape.settings.filter((one) => one.wired === null);
  worth.push(...rest.filter((one) => one.widget.primary || one.required));
  worth.push(...rest.filter((one) => !worth.includes(one) && !one.isDefault));
  // A wired setting has a port: it is always drawn, else its wire would end nowhere.
  const wired = worth.filter((one) => one.wired !== null).length;
  const shown = new Set(worth.slice(0, Math.max(SETTINGS_SHOWN, wired)));
  return { shown: shape.settings.filter((one) => shown.has(one)), more: shape.settings.length - shown.size };
}

export function portRows(shape: NodeShape): number {
  return Math.max(shape.inputs.length, shape.outputs.length);
}

/** Height of what a region shows above its inside: header, ports, bar. */
export function regionTop(shape: NodeShape): number {
  return HEADER + Math.max(1, portRows(shape)) * PORT_ROW + 2 * PAD + RAIL;
}

/** Size of a node before it has been drawn. */
export function estimateSize(shape: NodeShape, width = NODE_WIDTH): Size {
  const rows = portRows(shape);
  const { shown } = shownSettings(shape);
  const settings = shown.length;
  const ports = rows > 0 ? rows * PORT_ROW + 2 * PAD : 0;
  const fields =
    settings > 0 ? settings * SETTING_ROW + 2 * PAD + BELOW * shown.filter((one) => isLong(one.value)).length : 0;
  return { w: width, h: HEADER + ports + fields };
}

export function contains(box: Box, x: number, y: number): boolean {
  return x >= box.x && y >= box.y && x <= box.x + box.w && y <= box.y + box.h;
}

export function encloses(outer: Box, inner: Box): boolean {
  return contains(outer, inner.x, inner.y) && contains(outer, inner.x + inner.w, inner.y + inner.h);
}

import { useStore } from "@xyflow/react";
import { DETAIL_ZOOM } from "./geometry";

/** From each of these zooms on, by how much what must be legible is drawn larger; in few steps, as with the detail. */
const SEEN: readonly [zoom: number, by: number][] = [
  [0.9, 1],
  [0.7, 1.25],
  [0.5, 1.7],
  [0.25, 2.2],
  [0.12, 3.2],
];

export const useSeen = (): number => useStore((state) => SEEN.find(([zoom]) => state.transform[2] >= zoom)?.[1] ?? 4.5);

/** Far away, a node is a box with its title: the selector gives a boolean, so that zooming draws it only when it flips. */
export const useDetail = (): boolean => useStore((state) => state.transform[2] >= DETAIL_ZOOM);

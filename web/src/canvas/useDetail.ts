import { useStore } from "@xyflow/react";
import { DETAIL_ZOOM } from "./geometry";

/** Far away, a node is a box with its title: the selector gives a boolean, so that zooming draws it only when it flips. */
export const useDetail = (): boolean => useStore((state) => state.transform[2] >= DETAIL_ZOOM);

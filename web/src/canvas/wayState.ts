import { create } from "zustand";
import type { Point, RouteBox } from "../graph/route";
import type { EdgeStyle } from "../state/preferences";
import type { Ends } from "./wirePath";

/**
 * The ways of wires round the nodes. Every wire that is drawn says where its ends are; once nothing moves any more, the
 * ways are looked for in small pieces of time, and only of the wires that what has changed can concern.
 */
export interface Way {
  /** What it was found for. */
  ends: string;
  style: EdgeStyle;
  /** Null: the direct wire crosses nothing. */
  corners: readonly Point[] | null;
}

export const useWays = create<{ ways: ReadonlyMap<string, Way> }>()(() => ({ ways: new Map() }));

export interface Drawn {
  ends: Ends;
  style: EdgeStyle;
  /** Node and port that it comes from. */
  from: string;
  source: string;
  to: string;
}
export const drawn = new Map<string, Drawn>();
/** The ways of the wires that are drawn, as far as they are known: those of `useWays`, and what was found since. */
export const found = new Map<string, Way>();
/** The search that goes on, and what wires went round in it. */
export const search = { round: 0, boxes: new Map<string, RouteBox>() };
export const keyOf = ({ sourceX, sourceY, targetX, targetY }: Ends): string =>
  [sourceX, sourceY, targetX, targetY].map(Math.round).join();

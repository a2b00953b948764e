/** Runs as a page sees them: what the canvas and the panels read, and what starts, stops and asks. */

export type { Curve } from "./runs/curve";
export { goLive } from "./runs/live";
export type { Curves, RunModel } from "./runs/model";
export { cancelRun, openJob, requestRun, runAgain, type StartOptions, showRun, startRun } from "./runs/start";
export { MOST_COMPARED, type RunStore, useNodePicture, useNodeRun, useRuns } from "./runs/store";

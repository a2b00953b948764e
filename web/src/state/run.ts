/** Runs as a page sees them: what the canvas and the panels read, and what starts, stops and asks. */

export { goLive } from "./runs/live";
export type { Curves } from "./runs/model";
export { makersOf, viewOf } from "./runs/served";
export { cancelRun, openJob, requestRun, runAgain, type StartOptions, showRun, startRun, trains } from "./runs/start";
export { useNodePicture, useNodeRun, useRuns } from "./runs/store";

/**
 * Parts that the first page goes without. They are fetched once it is quiet: they open at once then, and still open
 * when the server has gone away.
 */
const PARTS = [
  () => import("../ui/Toast"),
  () => import("../dialogs/Dialogs"),
  () => import("../panels/Search"),
  () => import("../panels/CommandPalette"),
  () => import("../panels/InspectorNode"),
  () => import("../panels/InspectorMany"),
  () => import("../widgets/ChoicesField"),
  () => import("../widgets/LayersField"),
  () => import("../panels/InspectorEdge"),
  () => import("../canvas/Menus"),
  () => import("../canvas/clips"),
  () => import("../canvas/Chooser"),
  () => import("../panels/MeterDetails"),
  () => import("../panels/Problems"),
  () => import("../panels/DataReport"),
  () => import("../panels/Runs"),
  () => import("../panels/Chart"),
  () => import("../panels/Gallery"),
  () => import("../panels/Log"),
  () => import("../panels/Outline"),
  () => import("../panels/Files"),
  () => import("../dialogs/TemplatesDialog"),
  () => import("../panels/FormView"),
];

/** The mark in the page's performance record: what is fetched before it is the first load. */
const PREFETCH = "prefetch";
/** Milliseconds after the start. */
const QUIET = 1500;

/** Returns the way to stop. */
export function prefetch(): () => void {
  let stopped = false;
  const timer = window.setTimeout(async () => {
    performance.mark(PREFETCH);
    for (const part of PARTS) {
      if (stopped) return;
      // one that cannot be had is asked for again when it is needed
      await part().catch(() => undefined);
    }
  }, QUIET);
  return () => {
    stopped = true;
    window.clearTimeout(timer);
  };
}

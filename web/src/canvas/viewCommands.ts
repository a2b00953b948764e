import type { Command } from "../state/commands";
import { usePreferences } from "../state/preferences";
import { cyclePort, leave, nodeAtKeys, reveal, walkTo } from "./keyboard";
import { selectedAll } from "./selection";
import { canvasHasFocus, currentFlow, fitAll, motion } from "./stage";

const shown = () => currentFlow() !== null;
const here = () => shown() && canvasHasFocus();
const onNode = () => here() && nodeAtKeys() !== null;

/** What changes where one looks, and nothing else. */
export const VIEW: Command[] = [
  { id: "canvas.fit", titleKey: "canvas.do.fit", group: "view", keys: ["."], when: shown, run: () => fitAll() },
  {
    id: "canvas.focus",
    titleKey: "canvas.do.focus",
    group: "view",
    keys: ["F"],
    when: () => shown() && selectedAll().length > 0,
    run: fitSelection,
  },
  {
    id: "canvas.zoomIn",
    titleKey: "canvas.do.zoomIn",
    group: "view",
    keys: ["+", "="],
    when: here,
    run: () => currentFlow()?.zoomIn({ duration: motion(120) }),
  },
  {
    id: "canvas.zoomOut",
    titleKey: "canvas.do.zoomOut",
    group: "view",
    keys: ["-"],
    when: here,
    run: () => currentFlow()?.zoomOut({ duration: motion(120) }),
  },
  {
    id: "canvas.zoomReset",
    titleKey: "canvas.do.zoomReset",
    group: "view",
    keys: ["1"],
    when: here,
    run: () => currentFlow()?.zoomTo(1, { duration: motion(120) }),
  },
  {
    id: "canvas.minimap",
    titleKey: "canvas.do.minimap",
    group: "view",
    keys: ["Alt+M"],
    when: shown,
    run: () => usePreferences.getState().toggle("minimap"),
  },
  {
    id: "canvas.snap",
    titleKey: "canvas.do.snap",
    group: "view",
    keys: ["Alt+G"],
    when: shown,
    run: () => usePreferences.getState().toggle("snap"),
  },
  { id: "canvas.wires", titleKey: "canvas.do.wires", group: "view", when: shown, run: nextEdgeStyle },
];

/** Going through the graph by keys. */
export const GO: Command[] = [
  {
    id: "canvas.left",
    titleKey: "canvas.do.walkLeft",
    group: "go",
    keys: ["Alt+ArrowLeft"],
    when: here,
    run: () => walkTo("left"),
  },
  {
    id: "canvas.right",
    titleKey: "canvas.do.walkRight",
    group: "go",
    keys: ["Alt+ArrowRight"],
    when: here,
    run: () => walkTo("right"),
  },
  {
    id: "canvas.above",
    titleKey: "canvas.do.walkUp",
    group: "go",
    keys: ["Alt+ArrowUp"],
    when: here,
    run: () => walkTo("up"),
  },
  {
    id: "canvas.below",
    titleKey: "canvas.do.walkDown",
    group: "go",
    keys: ["Alt+ArrowDown"],
    when: here,
    run: () => walkTo("down"),
  },
  {
    id: "canvas.nextPort",
    titleKey: "canvas.do.nextPort",
    group: "go",
    keys: ["]"],
    when: onNode,
    run: () => cyclePort(1),
  },
  {
    id: "canvas.lastPort",
    titleKey: "canvas.do.lastPort",
    group: "go",
    keys: ["["],
    when: onNode,
    run: () => cyclePort(-1),
  },
  {
    id: "canvas.escape",
    titleKey: "canvas.do.escape",
    group: "go",
    keys: ["Escape"],
    hidden: true,
    when: here,
    run: leave,
  },
];

function fitSelection(): void {
  const ids = selectedAll();
  const [only, more] = ids;
  if (only !== undefined && more === undefined) reveal(only, 1);
  else
    void currentFlow()?.fitView({ nodes: ids.map((id) => ({ id })), duration: motion(200), padding: 0.2, maxZoom: 1 });
}

function nextEdgeStyle(): void {
  const { edgeStyle, set } = usePreferences.getState();
  set("edgeStyle", edgeStyle === "bezier" ? "smoothstep" : edgeStyle === "smoothstep" ? "straight" : "bezier");
}

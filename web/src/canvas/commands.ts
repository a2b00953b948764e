import { bodyAt } from "../graph/body";
import { expectPaste } from "../state/clipboard";
import { type Command, registerCommands } from "../state/commands";
import { useSession } from "../state/session";
import { currentDoc, currentPath, useTabs } from "../state/tabs";
import * as act from "./actions";
import { isReadOnly } from "./edit";
import { connectByKeys, goUp, nodeAtKeys, openSettings } from "./keyboard";
import { selectAll, selectedAll, selectedNodes } from "./selection";
import { canvasHasFocus, currentFlow, middleOfView, regionAt, toScreen } from "./stage";
import { GO, VIEW } from "./viewCommands";

/** Copying and pasting, which are fetched when they are first needed. */
const clips = () => import("./clips");
const shown = () => currentFlow() !== null;
const here = () => shown() && canvasHasFocus();
const canEdit = () => here() && !isReadOnly();
const some = () => canEdit() && selectedAll().length > 0;
const nodes = () => canEdit() && selectedNodes().length > 0;
const several = () => canEdit() && selectedAll().length > 1;
const onNode = () => here() && nodeAtKeys() !== null;

const EDIT: Command[] = [
  {
    id: "canvas.copy",
    titleKey: "canvas.do.copy",
    group: "edit",
    keys: ["Ctrl+C"],
    when: () => here() && selectedAll().length > 0,
    run: async () => (await clips()).copySelection(),
  },
  {
    id: "canvas.cut",
    titleKey: "canvas.do.cut",
    group: "edit",
    keys: ["Ctrl+X"],
    when: some,
    run: async () => (await clips()).cut(),
  },
  {
    id: "canvas.paste",
    titleKey: "canvas.do.paste",
    group: "edit",
    keys: ["Ctrl+V"],
    byKeys: () => expectPaste(async (held) => (await clips()).take(held)),
    run: async () => (await clips()).pasteFromMenu(false),
  },
  {
    id: "canvas.pasteWired",
    titleKey: "canvas.do.pasteWired",
    group: "edit",
    keys: ["Ctrl+Shift+V"],
    byKeys: () => expectPaste(async (held) => (await clips()).take(held, true)),
    run: async () => (await clips()).pasteFromMenu(true),
  },
  {
    id: "canvas.duplicate",
    titleKey: "canvas.do.duplicate",
    group: "edit",
    keys: ["Ctrl+D"],
    when: nodes,
    run: async () => (await clips()).duplicate(),
  },
  {
    id: "canvas.duplicateWired",
    titleKey: "canvas.do.duplicateWired",
    group: "edit",
    keys: ["Ctrl+Shift+D"],
    when: nodes,
    run: async () => (await clips()).duplicate(true),
  },
  {
    id: "canvas.delete",
    titleKey: "canvas.do.delete",
    group: "edit",
    keys: ["Delete", "Backspace"],
    when: () => canEdit() && selectedAll().length + useSession.getState().selectedEdges.size > 0,
    run: () => act.remove(false),
  },
  {
    id: "canvas.deleteKeep",
    titleKey: "canvas.do.deleteKeep",
    group: "edit",
    keys: ["Ctrl+Delete", "Ctrl+Backspace"],
    when: nodes,
    run: () => act.remove(true),
  },
  {
    id: "canvas.selectAll",
    titleKey: "canvas.do.selectAll",
    group: "edit",
    keys: ["Ctrl+A"],
    when: here,
    run: selectAll,
  },
  { id: "canvas.rename", titleKey: "canvas.do.rename", group: "edit", keys: ["F2"], when: some, run: act.rename },
];

const GRAPH: Command[] = [
  {
    id: "canvas.search",
    titleKey: "canvas.do.search",
    group: "graph",
    keys: ["/"],
    when: () => shown() && !isReadOnly(),
    run: search,
  },
  {
    id: "canvas.mute",
    titleKey: "canvas.do.mute",
    group: "graph",
    keys: ["Ctrl+M"],
    when: nodes,
    run: () => act.toggleMode("mute"),
  },
  {
    id: "canvas.bypass",
    titleKey: "canvas.do.bypass",
    group: "graph",
    keys: ["Ctrl+B"],
    when: nodes,
    run: () => act.toggleMode("bypass"),
  },
  {
    id: "canvas.fold",
    titleKey: "canvas.do.fold",
    group: "graph",
    keys: ["Alt+C"],
    when: nodes,
    run: act.toggleCollapsed,
  },
  {
    id: "canvas.frame",
    titleKey: "canvas.do.frame",
    group: "graph",
    keys: ["Ctrl+G"],
    when: canEdit,
    run: () => act.frameSelection(),
  },
  {
    id: "canvas.note",
    titleKey: "canvas.do.note",
    group: "graph",
    keys: ["Shift+N"],
    when: canEdit,
    run: () => act.addNoteAt(),
  },
  {
    id: "canvas.subgraph",
    titleKey: "canvas.do.subgraph",
    group: "graph",
    keys: ["Ctrl+Shift+E"],
    when: nodes,
    run: act.toSubgraph,
  },
  {
    id: "canvas.expand",
    titleKey: "canvas.do.expand",
    group: "graph",
    when: () => canEdit() && instance() !== null,
    run: () => act.expandSubgraph(instance() ?? ""),
  },
  {
    id: "canvas.enter",
    titleKey: "canvas.do.enter",
    group: "go",
    keys: ["Ctrl+ArrowDown"],
    when: () => here() && instance() !== null,
    run: enter,
  },
  {
    id: "canvas.up",
    titleKey: "canvas.do.up",
    group: "go",
    keys: ["Ctrl+ArrowUp"],
    when: () => here() && currentPath().length > 0,
    run: goUp,
  },
  {
    id: "canvas.layout",
    titleKey: "canvas.do.layout",
    group: "graph",
    keys: ["L"],
    when: canEdit,
    run: act.autoLayout,
  },
  {
    id: "canvas.alignLeft",
    titleKey: "canvas.do.alignLeft",
    group: "graph",
    keys: ["Shift+A"],
    when: several,
    run: () => act.alignSelection("left"),
  },
  {
    id: "canvas.alignTop",
    titleKey: "canvas.do.alignTop",
    group: "graph",
    keys: ["Shift+W"],
    when: several,
    run: () => act.alignSelection("top"),
  },
  {
    id: "canvas.alignRight",
    titleKey: "canvas.do.alignRight",
    group: "graph",
    keys: ["Shift+D"],
    when: several,
    run: () => act.alignSelection("right"),
  },
  {
    id: "canvas.alignBottom",
    titleKey: "canvas.do.alignBottom",
    group: "graph",
    keys: ["Shift+S"],
    when: several,
    run: () => act.alignSelection("bottom"),
  },
  {
    id: "canvas.alignCenter",
    titleKey: "canvas.do.alignCenter",
    group: "graph",
    when: several,
    run: () => act.alignSelection("center"),
  },
  {
    id: "canvas.alignMiddle",
    titleKey: "canvas.do.alignMiddle",
    group: "graph",
    when: several,
    run: () => act.alignSelection("middle"),
  },
  {
    id: "canvas.spreadX",
    titleKey: "canvas.do.spreadX",
    group: "graph",
    when: several,
    run: () => act.distributeSelection("horizontal"),
  },
  {
    id: "canvas.spreadY",
    titleKey: "canvas.do.spreadY",
    group: "graph",
    when: several,
    run: () => act.distributeSelection("vertical"),
  },
  {
    id: "canvas.connect",
    titleKey: "canvas.do.connect",
    group: "graph",
    keys: ["C"],
    when: () => canEdit() && nodeAtKeys() !== null,
    run: connectByKeys,
  },
  {
    id: "canvas.settings",
    titleKey: "canvas.do.settings",
    group: "graph",
    keys: ["Enter"],
    when: () => onNode() && !onControl(),
    run: () => openSettings(),
  },
];

/** Enter on a button presses the button. */
function onControl(): boolean {
  return document.activeElement?.closest('button, a[href], [role="slider"], [role="switch"]') != null;
}

function instance(): string | null {
  const id = nodeAtKeys();
  const type = id === null ? undefined : bodyAt(currentDoc().getState().graph, currentPath()).nodes[id]?.type;
  return type?.startsWith("graph:") ? id : null;
}

function enter(): void {
  const id = instance();
  if (id !== null) useTabs.getState().setPath([...currentPath(), id]);
}

function search(): void {
  const canvas = middleOfView();
  const { x, y } = toScreen(...canvas);
  useSession.getState().openSearch({ at: [x, y - 120], canvas, inside: regionAt(...canvas) });
}

/** Everything the canvas can do by name. Returns the way to take it back. */
export function registerCanvasCommands(): () => void {
  return registerCommands([...EDIT, ...GRAPH, ...VIEW, ...GO]);
}

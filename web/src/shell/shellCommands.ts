import { flatId } from "../graph/body";
import { type Command, registerCommands } from "../state/commands";
import { usePreferences } from "../state/preferences";
import { cancelRun, openJob, type StartOptions, startRun, trains } from "../state/run";
import { type DockTab, type LeftTab, useSession } from "../state/session";
import { currentDoc, currentPath, isBlank, useTabs } from "../state/tabs";
import {
  closeTab,
  copyAsText,
  download,
  importFromClipboard,
  importFromDisk,
  newGraph,
  save,
  saveAs,
} from "./documents";
import { goToRegion, nextRegion } from "./regions";
import { attempt } from "./report";

const session = () => useSession.getState();
const canEdit = () => !currentDoc().getState().readOnly && !session().compact;

const FILE: Command[] = [
  { id: "file.new", titleKey: "shell.new", group: "file", keys: ["Alt+N"], run: newGraph },
  { id: "file.open", titleKey: "shell.open", group: "file", keys: ["Ctrl+O"], typing: true, run: () => left("files") },
  {
    id: "file.templates",
    titleKey: "shell.templates",
    group: "file",
    run: () => session().openDialog("templates", {}),
  },
  {
    id: "file.save",
    titleKey: "shell.save",
    group: "file",
    keys: ["Ctrl+S"],
    typing: true,
    run: () => attempt(save),
  },
  {
    id: "file.saveAs",
    titleKey: "shell.saveAs",
    group: "file",
    keys: ["Ctrl+Shift+S"],
    typing: true,
    run: () => attempt(saveAs),
  },
  { id: "file.download", titleKey: "shell.download", group: "file", run: () => attempt(download) },
  { id: "file.copyText", titleKey: "shell.copyText", group: "file", run: () => attempt(copyAsText) },
  { id: "file.import", titleKey: "shell.import", group: "file", run: () => attempt(importFromDisk) },
  {
    id: "file.importText",
    titleKey: "shell.importText",
    group: "file",
    run: () => attempt(importFromClipboard),
  },
  {
    id: "file.trainOnPictures",
    titleKey: "shell.trainOnPictures",
    group: "file",
    run: () => session().openDialog("trainOnMyPictures", {}),
  },
  {
    id: "file.close",
    titleKey: "shell.closeTab",
    group: "file",
    keys: ["Alt+W"],
    run: () => attempt(() => closeTab(useTabs.getState().active)),
  },
];

const EDIT: Command[] = [
  {
    id: "edit.undo",
    titleKey: "shell.undo",
    group: "edit",
    keys: ["Ctrl+Z"],
    when: () => canEdit() && currentDoc().canUndo,
    run: () => currentDoc().undo(),
  },
  {
    id: "edit.redo",
    titleKey: "shell.redo",
    group: "edit",
    keys: ["Ctrl+Y", "Ctrl+Shift+Z"],
    when: () => canEdit() && currentDoc().canRedo,
    run: () => currentDoc().redo(),
  },
];

const RUN: Command[] = [
  {
    id: "run.run",
    titleKey: "shell.run",
    group: "run",
    keys: ["Ctrl+Enter"],
    typing: true,
    when: () => !isBlank(currentDoc().getState().graph),
    run: () => run(),
  },
  {
    id: "run.toHere",
    titleKey: "shell.run.toHere",
    group: "run",
    keys: ["Ctrl+Shift+Enter"],
    typing: true,
    when: () => session().selection.size > 0,
    run: () => run({ targets: [...session().selection].map((id) => flatId(currentPath(), id)) }),
  },
  {
    id: "run.again",
    titleKey: "shell.run.again",
    group: "run",
    when: () => trains(currentDoc().getState().graph),
    run: () => run({ force: ["*"] }),
  },
  { id: "run.front", titleKey: "shell.run.front", group: "run", run: () => run({ front: true }) },
  {
    id: "run.cancel",
    titleKey: "shell.cancel",
    group: "run",
    keys: ["Ctrl+Alt+Enter"],
    typing: true,
    when: () => openJob() !== null,
    run: () => cancelRun(),
  },
];

const VIEW: Command[] = [
  { id: "view.palette", titleKey: "shell.show.palette", group: "view", run: () => left("palette") },
  { id: "view.outline", titleKey: "shell.show.outline", group: "view", run: () => left("outline") },
  { id: "view.left", titleKey: "shell.left", group: "view", run: () => session().toggleLeft() },
  { id: "view.right", titleKey: "shell.right", group: "view", run: () => session().toggleRight() },
  { id: "view.dock", titleKey: "shell.dock", group: "view", run: () => session().toggleDock() },
  { id: "view.problems", titleKey: "shell.show.problems", group: "view", run: () => dock("problems") },
  { id: "view.runs", titleKey: "shell.show.runs", group: "view", run: () => dock("runs") },
  { id: "view.data", titleKey: "shell.show.data", group: "view", run: () => dock("data") },
  { id: "view.loss", titleKey: "shell.show.loss", group: "view", run: () => dock("loss") },
  { id: "view.gallery", titleKey: "shell.show.gallery", group: "view", run: () => dock("gallery") },
  { id: "view.log", titleKey: "shell.show.log", group: "view", run: () => dock("log") },
  {
    id: "view.form",
    titleKey: "shell.view.switch",
    group: "view",
    run: () => session().setView(session().view === "form" ? "graph" : "form"),
  },
  {
    id: "view.light",
    titleKey: "shell.theme.toLight",
    group: "view",
    run: () => usePreferences.getState().set("theme", "light"),
  },
  {
    id: "view.dark",
    titleKey: "shell.theme.toDark",
    group: "view",
    run: () => usePreferences.getState().set("theme", "dark"),
  },
  {
    id: "view.english",
    titleKey: "shell.language.toEnglish",
    group: "view",
    run: () => usePreferences.getState().set("language", "en"),
  },
  {
    id: "view.chinese",
    titleKey: "shell.language.toChinese",
    group: "view",
    run: () => usePreferences.getState().set("language", "zh-CN"),
  },
];

const GO: Command[] = [
  { id: "go.region", titleKey: "shell.go.region", group: "go", keys: ["F6"], typing: true, run: () => nextRegion(1) },
  {
    id: "go.regionBack",
    titleKey: "shell.go.regionBack",
    group: "go",
    keys: ["Shift+F6"],
    typing: true,
    run: () => nextRegion(-1),
  },
  { id: "go.nextTab", titleKey: "shell.go.nextTab", group: "go", keys: ["Alt+PageDown"], run: () => nextTab(1) },
  { id: "go.previousTab", titleKey: "shell.go.previousTab", group: "go", keys: ["Alt+PageUp"], run: () => nextTab(-1) },
];

const HELP: Command[] = [
  {
    id: "help.commands",
    titleKey: "shell.commands",
    group: "help",
    keys: ["Ctrl+K"],
    typing: true,
    hidden: true,
    run: () => session().setPalette(true),
  },
  {
    id: "help.shortcuts",
    titleKey: "shell.shortcuts",
    group: "help",
    keys: ["?"],
    run: () => session().openDialog("shortcuts", {}),
  },
  { id: "help.about", titleKey: "shell.about", group: "help", run: () => session().openDialog("about", {}) },
];

/** Start a run and show it, unless the form does. */
async function run(options?: StartOptions): Promise<void> {
  const job = await startRun(options);
  const { dock, view, compact, showDock } = session();
  if (job && !dock.open && view === "graph" && !compact) showDock("runs");
}

function left(tab: LeftTab): void {
  const { setView, showLeft, compact } = session();
  if (!compact) setView("graph");
  showLeft(tab);
  goToRegion("left");
}

function dock(tab: DockTab): void {
  session().showDock(tab);
  goToRegion("dock");
}

function nextTab(step: number): void {
  const { tabs, active, activate } = useTabs.getState();
  const at = tabs.findIndex((tab) => tab.id === active);
  const next = tabs[(at + step + tabs.length) % tabs.length];
  if (next) activate(next.id);
}

/** Everything the shell can do by name. Returns the way to take it back. */
export function registerShellCommands(): () => void {
  return registerCommands([...FILE, ...EDIT, ...RUN, ...VIEW, ...GO, ...HELP]);
}

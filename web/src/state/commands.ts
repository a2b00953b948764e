import { create } from "zustand";
import { installClipboard } from "./clipboard";
import { matches } from "./keys";

export type CommandGroup = "file" | "edit" | "graph" | "view" | "run" | "go" | "help";

export interface Command {
  id: string;
  /** i18n key of its name. */
  titleKey: string;
  group: CommandGroup;
  /** "Ctrl+Shift+Z"; Ctrl is ⌘ on a Mac. */
  keys?: string[];
  /** Is it possible now? Without it: always. */
  when?: () => boolean;
  run: () => unknown;
  /** Its keys also work while a text field has the focus. */
  typing?: boolean;
  /** By its keys in place of `run`, while the browser does its own part: a paste must bring its event. */
  byKeys?: () => unknown;
  /** Works by key only: not listed in the command palette. */
  hidden?: boolean;
}

interface CommandStore {
  all: Command[];
}

/** Everything that can be done by name: for the command palette, the menus, the keyboard and the list of shortcuts. */
export const useCommands = create<CommandStore>()(() => ({ all: [] }));

/** Add commands; one of the same id is replaced. Returns the way to take them back. */
export function registerCommands(commands: Command[]): () => void {
  const ids = new Set(commands.map((one) => one.id));
  useCommands.setState(({ all }) => ({ all: [...all.filter((one) => !ids.has(one.id)), ...commands] }));
  return () => useCommands.setState(({ all }) => ({ all: all.filter((one) => !commands.includes(one)) }));
}

export function commandById(id: string): Command | undefined {
  return useCommands.getState().all.find((one) => one.id === id);
}

export function canRun(command: Command): boolean {
  return command.when?.() ?? true;
}

/** Run a command by id if it is possible now; says whether it ran. */
export function runCommand(id: string): boolean {
  const command = commandById(id);
  if (!command || !canRun(command)) return false;
  void command.run();
  return true;
}

/** The first shortcut of a command, for menus and tooltips. */
export function keysOf(id: string): string | undefined {
  return commandById(id)?.keys?.[0];
}

const FIELDS = 'textarea, select, [contenteditable="true"], [role="textbox"], [role="combobox"], [role="spinbutton"]';
const OVERLAYS = '[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]';
const NOT_TEXT = new Set(["button", "checkbox", "radio", "range", "color", "file", "submit", "reset"]);

/** Does the element take text, so that letters belong to it? */
function isEditable(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target instanceof HTMLInputElement) return !NOT_TEXT.has(target.type);
  return target.closest(FIELDS) !== null;
}

function inOverlay(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(OVERLAYS) !== null;
}

/** Which command do these keys mean here? The one registered last wins. */
function commandFor(event: KeyboardEvent): Command | undefined {
  const editable = isEditable(event.target);
  if (inOverlay(event.target)) return undefined;
  return useCommands
    .getState()
    .all.findLast((one) => one.keys?.some((keys) => matches(keys, event)) && (one.typing || !editable) && canRun(one));
}

/** The one keydown listener of the page. Returns the way to stop. */
export function installShortcuts(): () => void {
  const down = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || event.key === "Process") return;
    const command = commandFor(event);
    if (!command) return;
    if (command.byKeys) {
      void command.byKeys();
      return;
    }
    event.preventDefault();
    void command.run();
  };
  window.addEventListener("keydown", down);
  const stopClipboard = installClipboard((target) => isEditable(target) || inOverlay(target));
  return () => {
    window.removeEventListener("keydown", down);
    stopClipboard();
  };
}

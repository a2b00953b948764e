// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { installShortcuts, registerCommands, runCommand, useCommands } from "./commands";

let stop = () => {};
beforeEach(() => {
  stop = installShortcuts();
});
afterEach(() => {
  stop();
  useCommands.setState({ all: [] });
  document.body.replaceChildren();
});

function press(target: EventTarget, key: string, init: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", {
    key,
    code: `Key${key.toUpperCase()}`,
    bubbles: true,
    cancelable: true,
    ...init,
  });
  target.dispatchEvent(event);
  return event;
}

function command(id: string, keys: string, more: object = {}) {
  const run = vi.fn();
  registerCommands([{ id, titleKey: id, group: "edit", keys: [keys], run, ...more }]);
  return run;
}

test("a key runs its command and the browser does nothing of its own", () => {
  const run = command("save", "Ctrl+S");
  expect(press(document.body, "s", { ctrlKey: true }).defaultPrevented).toBe(true);
  expect(run).toHaveBeenCalledTimes(1);
});

test("letters belong to a text field; commands that say so work there too", () => {
  const field = document.body.appendChild(document.createElement("input"));
  const [undo, save] = [command("undo", "Ctrl+Z"), command("save", "Ctrl+S", { typing: true })];
  press(field, "z", { ctrlKey: true });
  press(field, "s", { ctrlKey: true });
  expect(undo).not.toHaveBeenCalled();
  expect(save).toHaveBeenCalledTimes(1);
});

test("no shortcut while an input method composes, nor inside a dialog", () => {
  const run = command("save", "Ctrl+S", { typing: true });
  press(document.body, "s", { ctrlKey: true, isComposing: true });
  const dialog = document.body.appendChild(document.createElement("div"));
  dialog.setAttribute("role", "dialog");
  press(dialog.appendChild(document.createElement("button")), "s", { ctrlKey: true });
  expect(run).not.toHaveBeenCalled();
});

test("of two commands on one key the one that is possible runs, the later one first", () => {
  const first = command("up", "Escape");
  let possible = true;
  const second = command("close", "Escape", { when: () => possible });
  press(document.body, "Escape");
  possible = false;
  press(document.body, "Escape");
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
});

test("a command by name respects its condition and can be taken back", () => {
  const run = vi.fn();
  const remove = registerCommands([{ id: "a", titleKey: "a", group: "edit", run, when: () => true }]);
  expect(runCommand("a")).toBe(true);
  remove();
  expect(runCommand("a")).toBe(false);
  expect(run).toHaveBeenCalledTimes(1);
});

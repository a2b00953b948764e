import { expect, test } from "vitest";
import { type KeyEvent, matches } from "./keys";

function press(key: string, code: string, ...held: ("ctrl" | "meta" | "alt" | "shift" | "altgr")[]): KeyEvent {
  return {
    key,
    code,
    ctrlKey: held.includes("ctrl"),
    metaKey: held.includes("meta"),
    altKey: held.includes("alt"),
    shiftKey: held.includes("shift"),
    getModifierState: (name) => name === "AltGraph" && held.includes("altgr"),
  };
}

test("modifiers must be exactly those that are written", () => {
  expect(matches("Ctrl+Z", press("z", "KeyZ", "ctrl"), false)).toBe(true);
  expect(matches("Ctrl+Z", press("Z", "KeyZ", "ctrl", "shift"), false)).toBe(false);
  expect(matches("Ctrl+Shift+Z", press("Z", "KeyZ", "ctrl", "shift"), false)).toBe(true);
  expect(matches("Z", press("z", "KeyZ", "ctrl"), false)).toBe(false);
});

test("Ctrl is the command key on a Mac and not Control", () => {
  expect(matches("Ctrl+S", press("s", "KeyS", "meta"), true)).toBe(true);
  expect(matches("Ctrl+S", press("s", "KeyS", "ctrl"), true)).toBe(false);
  expect(matches("Ctrl+S", press("s", "KeyS", "meta"), false)).toBe(false);
});

test("signs match on keyboards that need Shift or AltGr for them", () => {
  expect(matches("?", press("?", "Slash", "shift"), false)).toBe(true);
  expect(matches("/", press("/", "Digit7", "shift"), false)).toBe(true);
  expect(matches("[", press("[", "Digit8", "ctrl", "alt", "altgr"), false)).toBe(true);
});

test("a letter is found by its place where the key writes another alphabet", () => {
  expect(matches("Ctrl+Z", press("я", "KeyZ", "ctrl"), false)).toBe(true);
  expect(matches("Alt+C", press("ç", "KeyC", "alt"), true)).toBe(true);
});

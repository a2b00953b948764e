import { afterEach, expect, it, vi } from "vitest";
import { type Clipboard, expectPaste, installClipboard, onPaste, writeText } from "./clipboard";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
});

function paste(text: string, on: EventTarget = document.body): Event {
  const event = new Event("paste", { bubbles: true, cancelable: true });
  Object.assign(event, { clipboardData: { getData: () => text, files: [] } });
  on.dispatchEvent(event);
  return event;
}

it("a paste is what the clipboard holds now, whatever was copied on the page before", async () => {
  const taken: string[] = [];
  stops.push(
    installClipboard(() => false),
    onPaste(({ text }) => taken.push(text)),
  );
  await writeText("copied here");
  expect(paste("copied elsewhere since").defaultPrevented).toBe(true);
  paste("");
  expect(taken).toEqual(["copied elsewhere since", ""]);
});

it("a paste into a field is the field's own", () => {
  const field = document.body.appendChild(document.createElement("input"));
  const take = vi.fn();
  stops.push(
    installClipboard((target) => target === field),
    onPaste(take),
  );
  expect(paste("text", field).defaultPrevented).toBe(false);
  expect(take).not.toHaveBeenCalled();
  field.remove();
});

it("keys that ask for more than the usual are meant by the next paste alone", () => {
  vi.useFakeTimers();
  const taken: string[] = [];
  const as = (name: string) => (held: Clipboard) => taken.push(`${name} ${held.text}`);
  stops.push(
    installClipboard(() => false),
    onPaste(as("usual")),
  );
  expectPaste(as("wired"));
  paste("1");
  paste("2");
  expectPaste(as("wired"));
  vi.advanceTimersByTime(2000);
  paste("3");
  expect(taken).toEqual(["wired 1", "usual 2", "usual 3"]);
});

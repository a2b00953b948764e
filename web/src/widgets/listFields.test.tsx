import { fireEvent, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { show } from "./fixtures/Harness";
import { formatNumbers, parseNumbers } from "./NumbersField";
import { freeName, renamed, scalarOf, scalarText } from "./pairs";
import { moved, RowKeys } from "./rows";

const TEXTS = { type: "array", items: { type: "string" } };
const rows = () => screen.getAllByRole("textbox").map((row) => (row as HTMLTextAreaElement).value);

describe("a list of texts", () => {
  it("adds a row and puts the focus into it", async () => {
    const { stored, user } = show({ value: ["cat"], schema: TEXTS, hint: { kind: "prompt" } });
    await user.click(screen.getByRole("button", { name: "Add text" }));
    expect(stored).toEqual([["cat", ""]]);
    await user.keyboard("dog{Enter}");
    expect(stored.at(-1)).toEqual(["cat", "dog"]);
  });

  it("reorders by buttons and by Alt with arrows; the focus goes with the row", async () => {
    const { stored, user } = show({ value: ["a", "b", "c"], schema: TEXTS });
    await user.click(screen.getByRole("button", { name: "Move 3 up" }));
    expect(stored.at(-1)).toEqual(["a", "c", "b"]);
    await user.click(screen.getByRole("textbox", { name: "Amount, 2" }));
    await user.keyboard("{Alt>}{ArrowUp}{/Alt}");
    expect(stored.at(-1)).toEqual(["c", "a", "b"]);
    expect((document.activeElement as HTMLTextAreaElement).value).toBe("c");
  });

  it("removes a row, by its button or by Backspace in an empty one, but not the last that is needed", async () => {
    const { stored, user } = show({ value: ["a", "", "c"], schema: { ...TEXTS, minItems: 1 } });
    await user.click(screen.getByRole("textbox", { name: "Amount, 2" }));
    await user.keyboard("{Backspace}");
    expect(stored.at(-1)).toEqual(["a", "c"]);
    await user.click(screen.getByRole("button", { name: "Remove 1" }));
    expect(stored.at(-1)).toEqual(["c"]);
    expect((screen.getByRole("button", { name: "Remove 1" }) as HTMLButtonElement).disabled).toBe(true);
  });

  it("makes rows of pasted lines", () => {
    const { stored } = show({ value: ["", "z"], schema: TEXTS });
    const first = screen.getByRole("textbox", { name: "Amount, 1" });
    fireEvent.paste(first, { clipboardData: { getData: () => "red fox\r\n\n grey owl \n" } });
    expect(stored).toEqual([["red fox", "grey owl", "z"]]);
    expect(rows()).toEqual(["red fox", "grey owl", "z"]);
  });

  it("is one text with a line each where asked, and at once when it is long", async () => {
    const { stored, user } = show({ value: ["a", "b", "c"], schema: TEXTS });
    await user.click(screen.getByRole("button", { name: "As text" }));
    const text = screen.getByRole("textbox", { name: "Amount" }) as HTMLTextAreaElement;
    expect(text.value).toBe("a\nb\nc");
    await user.clear(text);
    await user.type(text, "x{Enter}y");
    await user.tab();
    expect(stored.at(-1)).toEqual(["x", "y"]);
  });

  it("never becomes one text where an item has several lines", () => {
    show({ value: ["a\nb", "c", "d"], schema: TEXTS });
    expect(screen.queryByRole("button", { name: "As text" })).toBeNull();
  });
});

describe("a prompt of one text", () => {
  it("stays one text", async () => {
    const { stored, user } = show({ value: "a cat", schema: { type: "string" }, hint: { kind: "prompt" } });
    await user.type(screen.getByRole("textbox", { name: "Amount" }), "{Enter}on a mat");
    await user.tab();
    expect(stored.at(-1)).toBe("a cat\non a mat");
  });
});

describe("a list of numbers", () => {
  it("is written in one line", async () => {
    const { stored, user } = show({ value: [32, 64], schema: { type: "array", items: { type: "integer" } } });
    const field = screen.getByRole("textbox", { name: "Amount" }) as HTMLInputElement;
    expect(field.value).toBe("32, 64");
    await user.clear(field);
    await user.type(field, "16 32,96{Enter}");
    expect(stored.at(-1)).toEqual([16, 32, 96]);
    expect(field.value).toBe("16, 32, 96");
  });

  it("refuses fractions among integers and reads JSON", () => {
    expect(parseNumbers("1, 2.5", true)).toBeNull();
    expect(parseNumbers("[1, 2e-4]", false)).toEqual([1, 2e-4]);
    expect(parseNumbers("", true)).toEqual([]);
    expect(parseNumbers(formatNumbers([1e-8, 0.5]), false)).toEqual([1e-8, 0.5]);
  });
});

describe("names with values", () => {
  const WORDS = { type: "object", additionalProperties: { type: "string" } };

  it("edits name and value in place", async () => {
    const { stored, user } = show({ value: { style: "oil", light: "soft" }, schema: WORDS });
    const name = screen.getByRole("textbox", { name: "Name 1" });
    await user.clear(name);
    await user.type(name, "medium{Enter}");
    expect(stored.at(-1)).toEqual({ medium: "oil", light: "soft" });
    expect(Object.keys(stored.at(-1) as object)).toEqual(["medium", "light"]);
    const value = screen.getByRole("textbox", { name: "Value of light" });
    await user.clear(value);
    await user.type(value, "hard{Enter}");
    expect(stored.at(-1)).toEqual({ medium: "oil", light: "hard" });
  });

  it("does not take a name twice", async () => {
    const { stored, user } = show({ value: { a: "1", b: "2" }, schema: WORDS });
    const name = screen.getByRole("textbox", { name: "Name 1" });
    await user.clear(name);
    await user.type(name, "b{Enter}");
    expect(stored).toEqual([]);
  });

  it("tells texts from numbers by quotes, there and back", () => {
    for (const value of ["cat", "12", "true", "", '"q"', "null", "[1]"]) {
      expect(scalarOf(scalarText(value, false), false)).toBe(value);
    }
    expect(scalarOf("12", false)).toBe(12);
    expect(scalarOf("12", true)).toBe("12");
    expect(scalarText("12", true)).toBe("12");
    expect(renamed({ a: 1 }, "a", "")).toBeNull();
    expect(freeName({ name: 1, name_2: 1 }, "name")).toBe("name_3");
  });
});

describe("rows", () => {
  it("keep their keys while others come, go and move", () => {
    const keys = new RowKeys();
    const [a, b, c] = keys.for(3);
    keys.moved(2, -1);
    expect(keys.for(3)).toEqual([a, c, b]);
    keys.removed(0);
    expect(keys.for(2)).toEqual([c, b]);
    keys.inserted(1);
    const now = keys.for(3);
    expect([now[0], now[2]]).toEqual([c, b]);
    expect(new Set([a, b, c, now[1]]).size).toBe(4);
  });

  it("do not move beyond the ends", () => {
    expect(moved(["a", "b"], 0, -1)).toEqual(["a", "b"]);
    expect(moved(["a", "b"], 1, 1)).toEqual(["a", "b"]);
  });
});

describe("JSON", () => {
  it("is stored when it can be read, and says why not otherwise", async () => {
    const { stored, user } = show({ value: { a: 1 }, schema: { type: "object", additionalProperties: true } });
    const field = screen.getByRole("textbox", { name: "Amount" });
    expect((field as HTMLTextAreaElement).value).toBe('{"a":1}');
    fireEvent.change(field, { target: { value: '{"a": ' } });
    fireEvent.keyDown(field, { key: "Enter", ctrlKey: true });
    expect(stored).toEqual([]);
    expect(screen.getByRole("alert").textContent).toContain("no JSON");
    fireEvent.change(field, { target: { value: '{"a": [2]}' } });
    await user.click(field);
    await user.tab();
    expect(stored.at(-1)).toEqual({ a: [2] });
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

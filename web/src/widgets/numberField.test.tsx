import { act, fireEvent, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { show } from "./fixtures/Harness";

const NUMBER = { type: "number", minimum: 0, maximum: 10 };
const box = () => screen.getByRole("spinbutton", { name: "Amount" });

describe("a number", () => {
  it("is stored on Enter and shown in its short form", async () => {
    const { stored, user } = show({ value: 1, schema: NUMBER });
    await user.clear(box());
    await user.type(box(), "0.00020{Enter}");
    expect(stored.at(-1)).toBe(0.0002);
    expect((box() as HTMLInputElement).value).toBe("2e-4");
  });

  it("is stored when the field is left", async () => {
    const { stored, user, ends } = show({ value: 1, schema: NUMBER });
    await user.clear(box());
    await user.type(box(), "4");
    expect(stored).toEqual([]);
    await user.tab();
    expect(stored).toEqual([4]);
    expect(ends()).toBe(1);
  });

  it("is stored when its panel vanishes while it is being typed", async () => {
    const { stored, user, unmount } = show({ value: 1, schema: NUMBER });
    await user.clear(box());
    await user.type(box(), "4");
    unmount();
    expect(stored).toEqual([4]);
  });

  it("keeps what it does not take, says why and what is still in force, until that is changed or given up", async () => {
    const { stored, user, put } = show({ value: 5, schema: { type: "integer" } });
    const field = box() as HTMLInputElement;
    await user.clear(field);
    await user.type(field, "12 steps");
    await user.tab();
    expect([field.value, stored.at(-1)]).toEqual(["12 steps", undefined]);
    const said = screen.getByRole("alert");
    expect(said.textContent).toBe("“12 steps”: This is no whole number. Still in force: 5");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    expect(field.getAttribute("aria-describedby")).toContain(said.id);
    await user.click(field);
    await user.keyboard("{Escape}");
    expect([field.value, screen.queryByRole("alert")]).toEqual(["5", null]);
    await user.clear(field);
    await user.type(field, "x{Enter}");
    expect([field.value, screen.getAllByRole("alert").length]).toEqual(["x", 1]);
    act(() => put(7));
    expect([field.value, screen.queryByRole("alert")]).toEqual(["7", null]);
  });

  it("Escape goes back to what it was", async () => {
    const { stored, user } = show({ value: 1, schema: NUMBER });
    await user.clear(box());
    await user.type(box(), "4{Escape}");
    expect((box() as HTMLInputElement).value).toBe("1");
    await user.tab();
    expect(stored).toEqual([]);
  });

  it("steps by arrow keys, ten at once with Shift, and stops at its bounds", async () => {
    const { stored, user } = show({ value: 8, schema: { type: "integer", minimum: 0, maximum: 10 } });
    await user.click(box());
    await user.keyboard("{ArrowUp}");
    expect(stored.at(-1)).toBe(9);
    await user.keyboard("{Shift>}{ArrowUp}{/Shift}");
    expect(stored.at(-1)).toBe(10);
    await user.keyboard("{PageDown}");
    expect(stored.at(-1)).toBe(0);
  });

  it("the wheel steps it only while it has the focus", () => {
    const { stored } = show({ value: 5, schema: { type: "integer" } });
    fireEvent.wheel(box(), { deltaY: -100 });
    expect(stored).toEqual([]);
    act(() => box().focus());
    fireEvent.wheel(box(), { deltaY: -100 });
    expect(stored).toEqual([6]);
  });

  it("is dragged sideways in one gesture; a press without a move begins typing", () => {
    const { stored, ends } = show({ value: 5, schema: { type: "integer" } });
    const pointer = { pointerId: 1, button: 0 };
    fireEvent.pointerDown(box(), { ...pointer, clientX: 100 });
    fireEvent.pointerMove(box(), { ...pointer, clientX: 108 });
    fireEvent.pointerMove(box(), { ...pointer, clientX: 120 });
    fireEvent.pointerUp(box(), { ...pointer, clientX: 120 });
    expect(stored).toEqual([7, 10]);
    expect(ends()).toBe(1);
    expect(document.activeElement).not.toBe(box());
    fireEvent.pointerDown(box(), { ...pointer, clientX: 100 });
    fireEvent.pointerUp(box(), { ...pointer, clientX: 100 });
    expect(document.activeElement).toBe(box());
  });

  it("may be left empty where null is allowed", async () => {
    const { stored, user } = show({ value: 3, schema: { anyOf: [NUMBER, { type: "null" }], default: null } });
    await user.clear(box());
    await user.tab();
    expect(stored).toEqual([null]);
    expect(box().getAttribute("aria-valuetext")).toBe("not set");
  });

  it("or a word: empty is the word, which stands in the field", async () => {
    const schema = {
      anyOf: [
        { type: "integer", minimum: 0 },
        { type: "string", const: "auto" },
      ],
      default: "auto",
    };
    const { stored, user } = show({ value: "auto", schema });
    expect((box() as HTMLInputElement).value).toBe("");
    expect((box() as HTMLInputElement).placeholder).toBe("auto");
    await user.type(box(), "40{Enter}");
    expect(stored.at(-1)).toBe(40);
    await user.clear(box());
    await user.keyboard("{Enter}");
    expect(stored.at(-1)).toBe("auto");
  });

  it("shows what came from outside while it has the focus", async () => {
    const { user, put } = show({ value: 1, schema: NUMBER });
    await user.type(box(), "2{Enter}");
    act(() => put(7));
    expect((box() as HTMLInputElement).value).toBe("7");
  });

  it("is described by its help", () => {
    show({ value: 1, schema: NUMBER, help: "How much." });
    const ids = box().getAttribute("aria-describedby")?.split(" ") ?? [];
    expect(ids.map((id) => document.getElementById(id)?.textContent)).toContain("How much.");
  });
});

describe("resting", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("stores a text after 300 ms, and one time for all letters", () => {
    const { stored } = show({ value: "", schema: { type: "string" } });
    const field = screen.getByRole("textbox", { name: "Amount" });
    for (const value of ["c", "ca", "cat"]) {
      fireEvent.change(field, { target: { value } });
      act(() => void vi.advanceTimersByTime(200));
    }
    expect(stored).toEqual([]);
    act(() => void vi.advanceTimersByTime(100));
    expect(stored).toEqual(["cat"]);
  });

  it("stores nothing while an input method composes", () => {
    const { stored } = show({ value: "", schema: { type: "string" } });
    const field = screen.getByRole("textbox", { name: "Amount" }) as HTMLInputElement;
    field.focus();
    fireEvent.compositionStart(field);
    const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set;
    act(() => {
      setter?.call(field, "ni");
      field.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true } as InputEventInit));
    });
    act(() => void vi.advanceTimersByTime(1000));
    expect(stored).toEqual([]);
    setter?.call(field, "你");
    fireEvent.compositionEnd(field);
    act(() => void vi.advanceTimersByTime(300));
    expect(stored).toEqual(["你"]);
  });
});

describe("a slider", () => {
  const LR = {
    value: 1e-4,
    schema: { type: "number", minimum: 0, default: 1e-4 },
    hint: { kind: "slider", log: true },
  } as const;
  const thumb = () => screen.getByRole("slider", { name: "Amount, slider" });

  it("comes with a box, and both say the value", () => {
    show(LR);
    expect(thumb().getAttribute("aria-valuetext")).toBe("1e-4");
    expect((box() as HTMLInputElement).value).toBe("1e-4");
  });

  it("moves by steps of the setting, not by notches of the thumb", async () => {
    const { stored, user } = show(LR);
    act(() => thumb().focus());
    await user.keyboard("{ArrowRight}");
    expect(stored).toEqual([1.1e-4]);
  });

  it("takes a value beyond its end from the box", async () => {
    const { stored, user } = show({
      value: 16,
      schema: { type: "integer", minimum: 1, maximum: 1024, default: 16 },
      hint: { kind: "slider", step: 1 },
    });
    await user.clear(box());
    await user.type(box(), "900{Enter}");
    expect(stored.at(-1)).toBe(900);
    expect(thumb().getAttribute("aria-valuetext")).toBe("900");
  });
});

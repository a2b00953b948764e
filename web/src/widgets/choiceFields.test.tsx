import { screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { show } from "./fixtures/Harness";

describe("one of several", () => {
  it("stands side by side when few and short", async () => {
    const { stored, user } = show({ value: "no", schema: { type: "string", enum: ["no", "bf16", "fp16"] } });
    expect(screen.queryByRole("combobox")).toBeNull();
    await user.click(screen.getByRole("radio", { name: "bf16" }));
    expect(stored).toEqual(["bf16"]);
  });

  it("is a list when many or long", () => {
    show({ value: "a", schema: { type: "string", enum: ["a", "b", "c", "d", "e"] } });
    expect(screen.getByRole("combobox", { name: "Amount" }).textContent).toContain("a");
    expect(screen.queryByRole("radio")).toBeNull();
  });

  it("is a list in a node where three words would not fit", () => {
    show({ value: "decode", schema: { type: "string", enum: ["decode", "header", "everything"] }, compact: true });
    expect(screen.getByRole("combobox")).toBeTruthy();
  });

  it("keeps and shows a value that is not among them", () => {
    const { stored } = show({ value: "int8", schema: { type: "string", enum: ["fp32", "fp16"] } });
    const list = screen.getByRole("combobox");
    expect(list.textContent).toContain("int8 (not among the choices)");
    expect(list.getAttribute("aria-invalid")).toBe("true");
    expect(stored).toEqual([]);
  });
});

describe("on or off", () => {
  it("is a switch with the label's name", async () => {
    const { stored, user } = show({ value: false, schema: { type: "boolean" } });
    await user.click(screen.getByRole("switch", { name: "Amount" }));
    expect(stored).toEqual([true]);
  });
});

describe("a setting that may be left open", () => {
  const SCHEMA = { anyOf: [{ type: "array", items: { type: "integer" } }, { type: "null" }], default: null };

  it("remembers its value while it is switched off", async () => {
    const { stored, user } = show({ value: [1, 2], schema: SCHEMA });
    const toggle = screen.getByRole("switch", { name: "Amount: set a value" });
    await user.click(toggle);
    await user.click(toggle);
    expect(stored).toEqual([null, [1, 2]]);
  });

  it("starts with something legal", async () => {
    const { stored, user } = show({ value: null, schema: SCHEMA });
    expect(screen.queryByRole("textbox")).toBeNull();
    await user.click(screen.getByRole("switch"));
    expect(stored).toEqual([[]]);
    expect(screen.getByRole("textbox", { name: "Amount" })).toBeTruthy();
  });
});

describe("a colour", () => {
  it("takes three digits and no sign", async () => {
    const { stored, user } = show({ value: "#ffffff", schema: { type: "string", pattern: "^#[0-9a-fA-F]{6}$" } });
    const field = screen.getByRole("textbox", { name: "Amount" });
    await user.clear(field);
    await user.type(field, "0AF{Enter}");
    expect(stored.at(-1)).toBe("#00aaff");
    expect((screen.getByLabelText("Amount: choose a colour") as HTMLInputElement).value).toBe("#00aaff");
  });
});

describe("a setting of one value", () => {
  it("is only shown", () => {
    show({ value: "sd15", schema: { const: "sd15", type: "string" } });
    expect(screen.getByText("sd15").tagName).toBe("OUTPUT");
    expect(screen.queryByRole("textbox")).toBeNull();
  });
});

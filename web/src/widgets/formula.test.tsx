import { fireEvent, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { realSpecs } from "../graph/fixtures/specs";
import { show } from "./fixtures/Harness";
import { areRows, formulaText, type Row } from "./formula";
import { parseFormula } from "./parseFormula";

const SCHEMA = realSpecs().byId.get("tensor.formula")?.schema.properties?.rows ?? {};
const HINT = SCHEMA["x-widget"] ?? { kind: "auto" };
const OPERATIONS = HINT.operations ?? {};
const parsed = (text: string) => parseFormula(text, OPERATIONS);

/** A row of each operation, on wires, rows before it and numbers. */
const EVERY: Row[] = Object.entries(OPERATIONS).map(([op, count], index) => ({
  op,
  of: op === "clamp" ? ["in0", -0.5, 1e-7] : ["in1", index > 0 ? `row${index - 1}` : "in0"].slice(2 - count),
}));

describe("a formula as text", () => {
  it("reads as people write it", () => {
    const rows: Row[] = [
      { op: "sub", of: ["in0", "in1"] },
      { op: "mul", of: ["row0", -2.5] },
      { op: "neg", of: ["row1"] },
      { op: "clamp", of: ["row2", 0, 1] },
    ];
    expect(formulaText(rows)).toBe("row0 = in0 - in1\nrow1 = row0 * -2.5\nrow2 = -row1\nrow3 = clamp(row2, 0, 1)");
    expect(parsed(formulaText(rows))).toEqual(rows);
  });

  it("is read back as it was, of every operation that there is", () => {
    expect(EVERY.length).toBeGreaterThan(20);
    expect(parsed(formulaText(EVERY))).toEqual(EVERY);
    for (const op of ["sub", "div", "pow", "min"]) {
      const rows: Row[] = [
        { op, of: [-1, "in0"] },
        { op, of: ["in0", 0.001] },
      ];
      expect(parsed(formulaText(rows))).toEqual(rows);
    }
  });

  it("needs no names, keeps to those that are given, and skips empty lines", () => {
    const rows = [
      { op: "sub", of: ["in0", "in1"] },
      { op: "square", of: ["row0"] },
      { op: "div", of: ["row1", "row0"] },
    ];
    expect(parsed("in0-in1\n\nsquare(row0)\nrow1/row0")).toEqual(rows);
    expect(parsed("diff = in0 - in1\n  sq = square( diff )\nsq / diff")).toEqual(rows);
  });

  it("goes on with the names of lines when one is put in above", () => {
    expect(parsed("2 * in0\nrow0 = in0 - in1\nsquare(row0)")).toEqual([
      { op: "mul", of: [2, "in0"] },
      { op: "sub", of: ["in0", "in1"] },
      { op: "square", of: ["row1"] },
    ]);
  });

  it.each([
    ["", 1, "empty"],
    ["in0 - in1\nin0", 2, "unreadable"],
    ["in0 - in1 - in2", 1, "unreadable"],
    ["square(in0", 1, "unreadable"],
    ["square()", 1, "unreadable"],
    ["add(in0, )", 1, "unreadable"],
    ["2(in0)", 1, "unreadable"],
    ["in0 ^ 2", 1, "unreadable"],
    ["-3", 1, "unreadable"],
    ["x =", 1, "unreadable"],
    ["\ncosine(in0)", 2, "operation"],
    ["constructor(in0)", 1, "operation"],
    ["add(in0)", 1, "count"],
    ["in0 - x", 1, "name"],
    ["in0 - row0", 1, "name"],
    ["in1 = in0 - 1", 1, "taken"],
    ["3 = in0 - 1", 1, "taken"],
  ])("refuses %j in line %i: %s", (text, line, why) => {
    expect(parsed(text)).toMatchObject({ line, why });
  });

  it("is edited as JSON where it is none", () => {
    expect(areRows([{ op: "neg", of: ["in0"] }])).toBe(true);
    for (const strange of [[{ op: "neg" }], [{ op: "neg", of: [] }], [{ op: "neg", of: ["in0"], at: 1 }], [1], "neg"]) {
      expect(areRows(strange as never), JSON.stringify(strange)).toBe(false);
    }
  });
});

describe("the field of a formula", () => {
  const field = async () => (await screen.findByRole("textbox")) as HTMLTextAreaElement;

  it("shows its rows and stores what is written", async () => {
    const { stored } = show({ value: [{ op: "square", of: ["in0"] }], schema: SCHEMA, hint: HINT });
    const area = await field();
    expect(area.value).toBe("row0 = square(in0)");
    fireEvent.change(area, { target: { value: "in0 - in1\nsquare(row0)" } });
    fireEvent.blur(area);
    expect(stored).toEqual([
      [
        { op: "sub", of: ["in0", "in1"] },
        { op: "square", of: ["row0"] },
      ],
    ]);
    expect(area.value).toBe("row0 = in0 - in1\nrow1 = square(row0)");
  });

  it("keeps what it cannot read, stores nothing and names the line", async () => {
    const { stored } = show({ value: [{ op: "square", of: ["in0"] }], schema: SCHEMA, hint: HINT });
    const area = await field();
    fireEvent.change(area, { target: { value: "in0 - in1\nsquare(diff)" } });
    fireEvent.blur(area);
    expect(stored).toEqual([]);
    expect(screen.getByRole("alert").textContent).toBe("Line 2: diff is no wire (in0, in1, …) and no line above");
    expect(area.getAttribute("aria-invalid")).toBe("true");
  });
});

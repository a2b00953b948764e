import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import "./fixtures/setup";
import { LayersField } from "./LayersField";

const reply = {
  total: 9,
  matched: 2,
  names: ["a", "b"],
  near: [],
  groups: { "@attention": 4, "@all": 9 },
  problems: [],
};
vi.mock("./useLayerCount", () => ({ useLayerCount: () => ({ all: reply, each: new Map(), pending: false }) }));
vi.mock("../state/tabs", () => ({ useGraph: () => null }));

function show(value: string[]) {
  const stored: unknown[] = [];
  render(
    <LayersField
      id="x"
      label="Layers"
      labelledBy="y"
      nullable={false}
      invalid={false}
      disabled={false}
      value={value}
      schema={{ type: "array", items: { type: "string" } }}
      hint={{ kind: "layers" }}
      place={{ path: [], node: "lora", setting: "layers" }}
      compact={false}
      onChange={(next) => stored.push(next)}
      onEnd={() => {}}
    />,
  );
  return { stored, user: userEvent.setup() };
}

describe("the groups of a model's layers", () => {
  it("are listed with their numbers of layers, and a chosen one is a further selector", async () => {
    const { stored, user } = show(["re:a"]);
    await user.click(screen.getByRole("button", { name: "Groups" }));
    expect(screen.getByText("4 layers")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "@attention" }));
    expect(stored).toEqual([["re:a", "@attention"]]);
  });

  it("replace the whole model", async () => {
    const { stored, user } = show([""]);
    await user.click(screen.getByRole("button", { name: "Groups" }));
    await user.click(screen.getByRole("button", { name: "@all" }));
    expect(stored).toEqual([["@all"]]);
  });
});

// @vitest-environment node
import { expect, test } from "vitest";
import type { TemplateEntry } from "../api/schema";
import { realSpecs } from "../graph/fixtures/specs";
import { fitting, tagsOf } from "./templateList";

const entry = (name: string, title: string, uses: string[], needs: TemplateEntry["needs"] = ["models", "data"]) => ({
  name,
  title,
  description: "",
  picture: null,
  groups: name.split("/")[0] ?? "",
  uses,
  needs,
});
const ENTRIES: TemplateEntry[] = [
  entry("data/masked", "Masked training", ["plugin.lora", "loss.mask", "plugin.save"]),
  entry("train/lora", "LoRA on your own pictures", ["plugin.lora", "plugin.save"]),
  entry("train/loha", "LoHa on your own pictures", ["plugin.loha", "plugin.save"]),
  entry("quickstart/cats", "Teach the model cats", ["plugin.lora"], []),
];
const names = (found: TemplateEntry[]) => found.map((one) => one.name);

test("first steps come first; a title counts for more than a node; both languages are searched", () => {
  const specs = realSpecs();
  expect(names(fitting(ENTRIES, null, "", specs))[0]).toBe("quickstart/cats");
  expect(names(fitting(ENTRIES, null, "lora", specs))[0]).toBe("train/lora");
  expect(names(fitting(ENTRIES, null, "loss.mask", specs))).toEqual(["data/masked"]);
  const title = specs.byId.get("loss.mask")?.also?.[0] ?? "";
  expect(title).not.toBe("");
  expect(names(fitting(ENTRIES, null, title, specs))).toEqual(["data/masked"]);
  expect(fitting(ENTRIES, null, "nothing like it", specs)).toEqual([]);
});

test("tags are folders, what runs as it is, and what several templates are about", () => {
  const tags = tagsOf(ENTRIES);
  expect(tags[0]).toEqual({ kind: "group", name: "quickstart" });
  expect(tags).toContainEqual({ kind: "node", type: "plugin.lora" });
  expect(tags).not.toContainEqual({ kind: "node", type: "plugin.save" });
  expect(tags).not.toContainEqual({ kind: "node", type: "plugin.loha" });
  expect(names(fitting(ENTRIES, { kind: "ready" }, "", null))).toEqual(["quickstart/cats"]);
  expect(names(fitting(ENTRIES, { kind: "group", name: "train" }, "loha", null))).toEqual(["train/loha"]);
});

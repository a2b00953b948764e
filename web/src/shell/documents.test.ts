import { expect, test } from "vitest";
import { emptyGraph } from "../graph/normal";
import { isGraphFile, suggestedName, titleOf } from "./documents";

const doc = (title: string | undefined, name: string | null = null) => ({ graph: emptyGraph(title), name });

test("a file name is made of the title, in any alphabet and without signs", () => {
  expect(suggestedName(doc("Quickstart: teach the model cats!"))).toBe("quickstart_teach_the_model_cats");
  expect(suggestedName(doc("猫 LoRA"))).toBe("猫_lora");
  expect(suggestedName(doc("../../etc"))).toBe("etc");
  expect(suggestedName(doc(undefined))).toBe("graph");
  expect(suggestedName(doc("Title", "cats/one"))).toBe("cats/one");
});

test("a saved document is called by its file, another one by its title", () => {
  expect(titleOf(doc("Title", "cats/one"))).toBe("one");
  expect(titleOf(doc("Title"))).toBe("Title");
  expect(titleOf(doc(undefined))).toBe("Untitled");
});

test("files that may have a graph inside are known by their ending", () => {
  const named = (name: string) => isGraphFile(new File([], name));
  expect(["a.json", "a.PNG", "a.safetensors", "a.jpg", "json"].map(named)).toEqual([true, true, true, false, false]);
});

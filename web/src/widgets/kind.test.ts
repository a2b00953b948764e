import { describe, expect, it } from "vitest";
import type { SettingSchema } from "../api/schema";
import { realSpecs } from "../graph/fixtures/specs";
import { startValue, widgetFor } from "./kind";

const AUTO = { kind: "auto" } as const;

function kindOf(address: string, value?: unknown): string {
  const dot = address.lastIndexOf(".");
  const spec = realSpecs().byId.get(address.slice(0, dot));
  const name = address.slice(dot + 1);
  const schema = spec?.schema.properties?.[name];
  if (!spec || !schema) throw new Error(`there is no ${address}`);
  const usual = name in spec.defaults ? spec.defaults[name] : startValue(schema);
  return widgetFor(schema, schema["x-widget"] ?? AUTO, (value ?? usual) as never).kind;
}

describe("widgetFor the real settings", () => {
  it.each([
    ["optim.adamw.lr", "slider"],
    ["optim.adamw.eps", "number"],
    ["train.loop.accumulate", "integer"],
    ["train.loop.steps", "slider"],
    ["train.loop.epochs", "number"],
    ["optim.schedule.total_steps", "integer"],
    ["train.loop.seed", "seed"],
    ["data.loader.shuffle", "bool"],
    ["train.loop.mixed_precision", "enum"],
    ["vae.load.family", "enum"],
    ["data.folder.trigger", "text"],
    ["data.folder.background", "color"],
    ["data.folder.path", "path"],
    ["image.save.path", "path"],
    ["model.load.path", "model"],
    ["model.load.config", "model"],
    ["plugin.lora.layers", "layers"],
    ["plugin.lora.lr", "number"],
    ["tensor.formula.rows", "formula"],
    ["diffusion.timesteps.high", "integer"],
    ["text.prompt.texts", "prompt"],
    ["text.template.templates", "prompt"],
    ["text.template.words", "pairs"],
    ["value.format.values", "pairs"],
    ["value.format.template", "textarea"],
    ["data.openmoji.groups", "texts"],
    ["model.new.channels", "numbers"],
    ["model.new.attention", "optional"],
    ["python.object.args", "json"],
    ["value.list.value", "json"],
  ])("%s is edited by %s", (address, kind) => expect(kindOf(address)).toBe(kind));

  it("only settings that may hold anything are edited as JSON", () => {
    const json = [...realSpecs().byId.values()].flatMap((spec) =>
      Object.keys(spec.schema.properties ?? {})
        .map((name) => `${spec.id}.${name}`)
        .filter((address) => kindOf(address) === "json"),
    );
    expect(json.sort()).toEqual([
      "image_encoder.new.config",
      "model.new.config",
      "python.object.args",
      "value.at_step.points",
      "value.list.value",
    ]);
  });
});

describe("widgetFor a value of another shape", () => {
  it("falls back to JSON, so that a strange file loses nothing", () => {
    const number: SettingSchema = { type: "number" };
    expect(widgetFor(number, AUTO, "three").kind).toBe("json");
    expect(widgetFor(number, AUTO, null).kind).toBe("json");
    expect(widgetFor({ type: "array", items: { type: "string" } }, AUTO, ["a", 1]).kind).toBe("json");
    expect(widgetFor({ type: "array" }, { kind: "formula" }, [{ op: "neg" }]).kind).toBe("json");
    expect(widgetFor({ anyOf: [number, { type: "null" }] }, AUTO, "three").kind).toBe("json");
  });
});

describe("startValue", () => {
  it("is legal", () => {
    expect(startValue({ type: "integer", minimum: 3 })).toBe(3);
    expect(startValue({ type: "number", exclusiveMinimum: 0 })).toBe(1);
    expect(startValue({ enum: ["a", "b"] })).toBe("a");
    expect(startValue({ type: "array", default: [1] })).toEqual([1]);
  });
});

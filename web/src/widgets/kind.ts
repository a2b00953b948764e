import type { Json, SettingSchema, WidgetHint } from "../api/schema";
import { areRows } from "./formula";

export type WidgetKind =
  | "slider"
  | "number"
  | "integer"
  | "bool"
  | "enum"
  | "const"
  | "text"
  | "color"
  | "textarea"
  | "prompt"
  | "seed"
  | "path"
  | "model"
  | "layers"
  | "formula"
  | "numbers"
  | "choices"
  | "texts"
  | "pairs"
  | "json"
  | "optional";

/** The schema without its null, and whether null is allowed. */
function withoutNull(schema: SettingSchema): { inner: SettingSchema; nullable: boolean } {
  if (Array.isArray(schema.type)) {
    const rest = schema.type.filter((type) => type !== "null");
    const inner = { ...schema, type: rest.length === 1 ? rest[0] : rest };
    return { inner, nullable: rest.length < schema.type.length };
  }
  const branches = schema.anyOf;
  if (!branches) return { inner: schema, nullable: false };
  const rest = branches.filter((branch) => branch.type !== "null");
  if (rest.length === branches.length) return { inner: schema, nullable: false };
  const { anyOf: _, default: given, ...outer } = schema;
  const inner = rest.length === 1 ? { ...outer, ...rest[0] } : { ...outer, anyOf: rest };
  return { inner: given === null || given === undefined ? inner : { ...inner, default: given }, nullable: true };
}

/** A number or one word, such as `auto`: the word, and the same schema with null in its place. */
function withWord(schema: SettingSchema): { word: string; schema: SettingSchema } | null {
  const branches = schema.anyOf ?? [];
  const words = branches.flatMap(({ const: word }) => (typeof word === "string" ? [word] : []));
  const [word] = words;
  if (word === undefined || words.length > 1 || branches.length !== 2) return null;
  const anyOf = branches.map((branch) => (branch.const === word ? { type: "null" } : branch));
  return { word, schema: { ...schema, anyOf, default: schema.default === word ? null : schema.default } };
}

const SCALARS = new Set(["string", "integer", "number", "boolean"]);

function isScalar(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  const { type, anyOf } = schema as SettingSchema;
  if (anyOf) return anyOf.every(isScalar);
  return typeof type === "string" && SCALARS.has(type);
}

function arrayKind(schema: SettingSchema, hint: WidgetHint): WidgetKind {
  if (hint.kind === "layers" || hint.kind === "formula") return hint.kind;
  const items = schema.items ?? {};
  if (items.enum) return "choices";
  if (items.type === "string") return hint.kind === "prompt" || hint.kind === "textarea" ? "prompt" : "texts";
  return items.type === "integer" || items.type === "number" ? "numbers" : "json";
}

/** Which widget edits a setting whose schema has no null (see `widgetKind`). */
function plainKind(schema: SettingSchema, hint: WidgetHint): WidgetKind {
  if ("const" in schema) return "const";
  if (schema.enum) return "enum";
  switch (schema.type) {
    case "boolean":
      return "bool";
    case "integer":
    case "number":
      if (hint.kind === "seed" || hint.kind === "slider") return hint.kind;
      return schema.type;
    case "array":
      return arrayKind(schema, hint);
    case "object":
      return isScalar(schema.additionalProperties) ? "pairs" : "json";
    case "string":
      if (hint.kind === "path" || hint.kind === "model" || hint.kind === "prompt") return hint.kind;
      if (hint.kind === "textarea") return "textarea";
      return schema.pattern === "^#[0-9a-fA-F]{6}$" ? "color" : "text";
    default:
      return "json";
  }
}

/** Widgets in which "nothing written" can mean null; the others need a switch beside them. */
const EMPTY_IS_NULL: ReadonlySet<WidgetKind> = new Set([
  "number",
  "integer",
  "slider",
  "path",
  "model",
  "enum",
  "color",
]);

/**
 * Which widget edits a setting, the schema that it edits by, and whether its emptiness means null, or a word. A value
 * that its widget could not show, from a file of somebody else or a newer pack, is edited as JSON, so that nothing is lost.
 */
export function widgetFor(
  schema: SettingSchema,
  hint: WidgetHint,
  value: Json,
): { kind: WidgetKind; schema: SettingSchema; nullable: boolean; word?: string } {
  const named = withWord(schema);
  if (named) return { ...widgetFor(named.schema, hint, value === named.word ? null : value), word: named.word };
  const { inner, nullable } = withoutNull(schema);
  const kind = plainKind(inner, hint);
  if (nullable && (value === null || shows(kind, value))) {
    return EMPTY_IS_NULL.has(kind) ? { kind, schema: inner, nullable } : { kind: "optional", schema: inner, nullable };
  }
  return { kind: shows(kind, value) ? kind : "json", schema: inner, nullable };
}

/** The widget of an optional setting that has a value. */
export function innerKind(schema: SettingSchema, hint: WidgetHint): WidgetKind {
  return plainKind(schema, hint);
}

const isText = (value: Json): boolean => typeof value === "string";
const isScalarValue = (value: Json): boolean => value !== null && typeof value !== "object";

function shows(kind: WidgetKind, value: Json): boolean {
  switch (kind) {
    case "slider":
    case "number":
    case "integer":
    case "seed":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "text":
    case "color":
    case "textarea":
    case "path":
    case "model":
      return isText(value);
    case "prompt":
      return isText(value) || (Array.isArray(value) && value.every(isText));
    case "layers":
    case "texts":
      return Array.isArray(value) && value.every(isText);
    case "formula":
      return areRows(value);
    case "numbers":
      return Array.isArray(value) && value.every((item) => typeof item === "number");
    case "choices":
      return Array.isArray(value) && value.every(isScalarValue);
    case "pairs":
      return (
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        Object.values(value).every(isScalarValue)
      );
    default:
      return true;
  }
}

/** What a setting starts with when it stops being null. */
export function startValue(schema: SettingSchema): Json {
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.enum) return schema.enum[0] ?? null;
  switch (schema.type) {
    case "boolean":
      return false;
    case "integer":
    case "number":
      return schema.minimum ?? Math.max(0, Math.floor(schema.exclusiveMinimum ?? -1) + 1);
    case "array":
      return [];
    case "object":
      return {};
    case "string":
      return "";
    default:
      return null;
  }
}

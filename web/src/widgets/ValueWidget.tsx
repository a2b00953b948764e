import type { Json, SettingSchema, WidgetHint } from "../api/schema";
import type { FieldIds } from "./FieldFrame";
import { startValue, widgetFor } from "./kind";
import { OptionalField } from "./OptionalField";
import type { Place } from "./types";
import { Widget } from "./Widget";

interface ValueWidgetProps {
  ids: FieldIds;
  label: string;
  value: Json;
  schema: SettingSchema;
  hint: WidgetHint;
  place: Place | null;
  invalid?: boolean;
  disabled?: boolean;
  compact?: boolean;
  onChange: (value: Json) => void;
  onEnd: () => void;
}

/** The widget that fits a schema, with a value. */
export function ValueWidget({ ids, schema, hint, value, ...rest }: ValueWidgetProps) {
  const given = value === null ? blank(schema) : value;
  const { kind, schema: inner, nullable, word } = widgetFor(schema, hint, given);
  const props = {
    ...ids,
    label: rest.label,
    value: given === word ? null : given,
    schema: inner,
    hint,
    nullable,
    word,
    invalid: rest.invalid ?? false,
    disabled: rest.disabled ?? false,
    compact: rest.compact ?? false,
    place: rest.place,
    onChange: word === undefined ? rest.onChange : (next: Json) => rest.onChange(next ?? word),
    onEnd: rest.onEnd,
  };
  return kind === "optional" ? <OptionalField {...props} /> : <Widget {...props} kind={kind} />;
}

/** What a required setting shows before it was ever set: an empty field of its kind. */
function blank(schema: SettingSchema): Json {
  return schema.type === "string" || schema.type === "array" || schema.type === "object" ? emptyOf(schema) : null;
}

function emptyOf(schema: SettingSchema): Json {
  return schema.enum || schema.default === null ? null : schema.type === "string" ? "" : startValue(schema);
}

import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import { Segments, Select } from "../ui";
import type { WidgetProps } from "./types";

/** How a value of a list of choices is written. */
export function choiceText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const NOT_SET = "null";
const SEGMENTS = 4;
/** Letters of all choices together that still stand side by side in the inspector, and in a node. */
const ROOM = { wide: 30, compact: 18 };

function sideBySide(choices: readonly Json[], compact: boolean): boolean {
  const letters = choices.reduce<number>((sum, choice) => sum + choiceText(choice).length, 0);
  return choices.length <= SEGMENTS && letters <= (compact ? ROOM.compact : ROOM.wide);
}

/** One of several values: side by side when few and short, else a list. A value that is not among them is kept and shown. */
export function EnumField(props: WidgetProps) {
  const { t } = useTranslation();
  const { value, schema, nullable, onChange, onEnd } = props;
  const known = schema.enum ?? [];
  const strange = value !== null && !known.includes(value);
  const choices = strange ? [value, ...known] : known;
  const pick = (index: string) => {
    onChange(index === NOT_SET ? null : (choices[Number(index)] ?? null));
    onEnd();
  };
  const chosen = value === null ? NOT_SET : String(choices.indexOf(value));

  if (!nullable && !strange && value !== null && !props.disabled && sideBySide(choices, props.compact)) {
    return (
      <span className="nodrag">
        <Segments
          label={props.label}
          value={chosen}
          onChange={pick}
          options={choices.map((choice, index) => ({ value: String(index), label: choiceText(choice) }))}
        />
      </span>
    );
  }
  const options = choices.map((choice, index) => ({
    value: String(index),
    label: strange && index === 0 ? t("forms.unknownChoice", { value: choiceText(choice) }) : choiceText(choice),
  }));
  return (
    <Select
      id={props.id}
      className="nodrag"
      size={props.compact ? "s" : "m"}
      value={value === null && !nullable ? "" : chosen}
      onChange={pick}
      options={nullable ? [{ value: NOT_SET, label: t("forms.notSet") }, ...options] : options}
      placeholder={t("forms.notSet")}
      disabled={props.disabled}
      invalid={props.invalid || strange}
      aria-describedby={props.describedBy}
    />
  );
}

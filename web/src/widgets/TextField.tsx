import { TextField as Line } from "../ui";
import { GrowingText } from "./GrowingText";
import type { WidgetProps } from "./types";
import { useDraft } from "./useDraft";

/** One line of text; in a node it is wrapped, so that all of it is seen. */
export function TextField({ value, onChange, onEnd, ...rest }: WidgetProps) {
  const commit = (text: string) => {
    onChange(text);
    return true;
  };
  const text = typeof value === "string" ? value : "";
  return rest.compact ? (
    <GrowingText
      compact
      oneLine
      rows={1}
      id={rest.id}
      describedBy={rest.describedBy}
      text={text}
      invalid={rest.invalid}
      disabled={rest.disabled}
      maxLength={rest.schema.maxLength}
      onChange={commit}
      onEnd={onEnd}
    />
  ) : (
    <OneLine {...rest} text={text} commit={commit} onEnd={onEnd} />
  );
}

type OneLineProps = Omit<WidgetProps, "value" | "onChange"> & { text: string; commit: (text: string) => boolean };

function OneLine({ text, commit, onEnd, ...rest }: OneLineProps) {
  const { field } = useDraft({ text, commit, end: onEnd });
  return (
    <Line
      {...field}
      id={rest.id}
      className="nodrag nopan"
      aria-describedby={rest.describedBy}
      invalid={rest.invalid}
      disabled={rest.disabled}
      maxLength={rest.schema.maxLength}
    />
  );
}

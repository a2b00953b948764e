import { TextField as Line } from "../ui";
import type { WidgetProps } from "./types";
import { useDraft } from "./useDraft";

/** One line of text. */
export function TextField({ value, onChange, onEnd, ...rest }: WidgetProps) {
  const commit = (text: string) => {
    onChange(text);
    return true;
  };
  const { field } = useDraft({ text: typeof value === "string" ? value : "", commit, end: onEnd });
  return (
    <Line
      {...field}
      id={rest.id}
      size={rest.compact ? "s" : "m"}
      className="nodrag nopan"
      aria-describedby={rest.describedBy}
      invalid={rest.invalid}
      disabled={rest.disabled}
      maxLength={rest.schema.maxLength}
    />
  );
}

import { GrowingText } from "./GrowingText";
import type { WidgetProps } from "./types";

/** Several lines of text; the field is as high as the text. */
export function TextAreaField({ value, onChange, onEnd, ...rest }: WidgetProps) {
  return (
    <GrowingText
      id={rest.id}
      describedBy={rest.describedBy}
      text={typeof value === "string" ? value : ""}
      rows={rest.compact ? 2 : 3}
      compact={rest.compact}
      invalid={rest.invalid}
      disabled={rest.disabled}
      spellCheck={rest.hint.kind === "prompt"}
      onChange={(text) => {
        onChange(text);
        return true;
      }}
      onEnd={onEnd}
    />
  );
}

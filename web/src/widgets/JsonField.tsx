import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import { GrowingText } from "./GrowingText";
import type { WidgetProps } from "./types";

/** Short values in one line, others indented. */
function jsonText(value: Json): string {
  const line = JSON.stringify(value);
  return line.length <= 60 ? line : JSON.stringify(value, null, 2);
}

function parsed(text: string): { value: Json } | { fault: string } {
  try {
    return { value: JSON.parse(text) as Json };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

/** Any value, as JSON. What it may be is said by the server's check. */
export function JsonField({ value, onChange, onEnd, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  return (
    <GrowingText
      id={rest.id}
      describedBy={rest.describedBy}
      text={jsonText(value)}
      rows={rest.compact ? 1 : 2}
      compact={rest.compact}
      mono
      invalid={rest.invalid}
      disabled={rest.disabled}
      canonical={(text) => {
        const read = parsed(text);
        return "value" in read ? jsonText(read.value) : text;
      }}
      why={(text) => {
        const read = parsed(text);
        return t("forms.error.json", { fault: "fault" in read ? read.fault : "" });
      }}
      onEnd={onEnd}
      onChange={(text) => {
        const read = parsed(text);
        if ("value" in read) onChange(read.value);
        return "value" in read;
      }}
    />
  );
}

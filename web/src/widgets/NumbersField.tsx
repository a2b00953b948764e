import { useTranslation } from "react-i18next";
import { TextField as Line } from "../ui";
import { boundsOf, formatNumber, parseNumber } from "./number";
import { useRefusal } from "./refusal";
import type { WidgetProps } from "./types";
import { useDraft } from "./useDraft";

/** "32, 64 96" as numbers, or null where something in it is none. A comma parts numbers here, it is no decimal sign. */
export function parseNumbers(text: string, integer: boolean): number[] | null {
  const parts = text
    .normalize("NFKC")
    .replace(/^\s*\[|\]\s*$/g, "")
    .split(/[\s,;、]+/)
    .filter((part) => part !== "");
  const numbers = parts.map((part) => parseNumber(part, integer));
  return numbers.includes(null) ? null : (numbers as number[]);
}

export function formatNumbers(numbers: readonly number[]): string {
  return numbers.map(formatNumber).join(", ");
}

/** A list of numbers, written in one line. */
export function NumbersField({ value, schema, onChange, onEnd, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  const { integer } = boundsOf(schema.items ?? {}, {});
  const numbers = Array.isArray(value) ? value.filter((item) => typeof item === "number") : [];
  const commit = (written: string) => {
    const read = parseNumbers(written, integer);
    if (read) onChange(read);
    return read !== null;
  };
  const canonical = (written: string) => {
    const read = parseNumbers(written, integer);
    return read ? formatNumbers(read) : written;
  };
  const { field, refused } = useDraft({ text: formatNumbers(numbers), commit, end: onEnd, canonical });
  const kept = formatNumbers(numbers) || t("forms.numbers.empty");
  const why = t(integer ? "forms.error.integers" : "forms.error.numbers");
  useRefusal(refused === null ? null : t("forms.error.kept", { written: refused, why, kept }));
  return (
    <Line
      {...field}
      id={rest.id}
      size={rest.compact ? "s" : "m"}
      className="nodrag nopan"
      placeholder={t("forms.numbers.empty")}
      aria-describedby={rest.describedBy}
      invalid={rest.invalid || refused !== null}
      disabled={rest.disabled}
    />
  );
}

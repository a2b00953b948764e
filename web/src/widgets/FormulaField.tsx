import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/formula.json";
import { areRows, formulaText } from "./formula";
import { GrowingText } from "./GrowingText";
import { parseFormula } from "./parseFormula";
import type { WidgetProps } from "./types";

addTexts(english);

/** A formula as text, a row a line: `row0 = in0 - in1`. What cannot be read is not stored, and its line is named. */
export function FormulaField({ value, hint, onChange, onEnd, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  const operations = hint.operations ?? {};
  return (
    <GrowingText
      id={rest.id}
      describedBy={rest.describedBy}
      text={areRows(value) ? formulaText(value) : ""}
      rows={rest.compact ? 1 : 3}
      compact={rest.compact}
      mono
      invalid={rest.invalid}
      disabled={rest.disabled}
      placeholder={t("formula.example")}
      canonical={(text) => {
        const read = parseFormula(text, operations);
        return Array.isArray(read) ? formulaText(read) : text;
      }}
      why={(text) => {
        const read = parseFormula(text, operations);
        return Array.isArray(read) ? "" : t(`formula.${read.why}`, read.values);
      }}
      onEnd={onEnd}
      onChange={(text) => {
        const read = parseFormula(text, operations);
        if (Array.isArray(read)) onChange(read);
        return Array.isArray(read);
      }}
    />
  );
}

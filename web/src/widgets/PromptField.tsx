import { useTranslation } from "react-i18next";
import { GrowingText } from "./GrowingText";
import { TextRows } from "./TextRows";
import type { WidgetProps } from "./types";

/** Texts for a model: one text, or a list with one picture or caption each. */
export function PromptField(props: WidgetProps) {
  const { t } = useTranslation();
  if (!Array.isArray(props.value)) {
    return (
      <GrowingText
        id={props.id}
        describedBy={props.describedBy}
        text={typeof props.value === "string" ? props.value : ""}
        rows={props.compact ? 2 : 3}
        compact={props.compact}
        invalid={props.invalid}
        disabled={props.disabled}
        spellCheck
        onEnd={props.onEnd}
        onChange={(text) => {
          props.onChange(text);
          return true;
        }}
      />
    );
  }
  return <TextRows {...props} items={props.value.map(String)} spellCheck add={t("forms.prompt.add")} />;
}

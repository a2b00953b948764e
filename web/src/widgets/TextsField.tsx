import { useTranslation } from "react-i18next";
import { TextRows } from "./TextRows";
import type { WidgetProps } from "./types";

/** A list of short texts. */
export function TextsField(props: WidgetProps) {
  const { t } = useTranslation();
  const items = Array.isArray(props.value) ? props.value.map(String) : [];
  return <TextRows {...props} items={items} add={t("forms.list.add")} />;
}

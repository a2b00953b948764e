import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import { Switch } from "../ui";
import { innerKind, startValue } from "./kind";
import type { WidgetProps } from "./types";
import { Widget } from "./Widget";
import styles from "./widgets.module.css";

/** A setting that may be left open and whose widget cannot say so itself: a switch before it. */
export function OptionalField(props: WidgetProps) {
  const { t } = useTranslation();
  const { value, schema, hint, onChange, onEnd } = props;
  // switched off and on again, it says what it said
  const last = useRef<Json>(value);
  if (value !== null) last.current = value;
  const set = value !== null;
  return (
    <div className={styles.stack}>
      <Switch
        id={set ? undefined : props.id}
        label={t(set ? "forms.optional.set" : "forms.notSet")}
        aria-label={t("forms.optional.switch", { name: props.label })}
        aria-describedby={props.describedBy}
        checked={set}
        disabled={props.disabled}
        onChange={(on) => {
          onChange(on ? (last.current ?? startValue(schema)) : null);
          onEnd();
        }}
      />
      {set && <Widget {...props} kind={innerKind(schema, hint)} nullable={false} />}
    </div>
  );
}

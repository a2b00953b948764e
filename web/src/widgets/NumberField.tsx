import { NumberBox } from "./NumberBox";
import { boundsOf } from "./number";
import type { WidgetProps } from "./types";
import styles from "./widgets.module.css";

/** A number or an integer, in a box. */
export function NumberField(props: WidgetProps) {
  return (
    <div className={styles.row}>
      <SettingBox {...props} />
    </div>
  );
}

/** The box itself, for widgets that have more than that. */
export function SettingBox({ value, schema, hint, ...rest }: WidgetProps) {
  return (
    <NumberBox
      id={rest.id}
      describedBy={rest.describedBy}
      value={typeof value === "number" ? value : null}
      bounds={boundsOf(schema, hint)}
      nullable={rest.nullable}
      word={rest.word}
      invalid={rest.invalid}
      disabled={rest.disabled}
      compact={rest.compact}
      onChange={rest.onChange}
      onEnd={rest.onEnd}
    />
  );
}

import { Plus } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { Button, Select } from "../ui";
import { choiceText } from "./EnumField";
import { RowButtons } from "./RowButtons";
import { moved, RowKeys, removed, replaced } from "./rows";
import type { WidgetProps } from "./types";
import styles from "./widgets.module.css";

/** A list whose items are each one of several values; the order counts and a value may come twice. */
export function ChoicesField({ value, schema, onChange, onEnd, disabled, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  const keys = useRef(new RowKeys());
  const items = Array.isArray(value) ? value : [];
  const known = schema.items?.enum ?? [];
  const set = (next: typeof items) => {
    onChange(next);
    onEnd();
  };
  return (
    <fieldset className={styles.stack} aria-labelledby={rest.labelledBy} aria-describedby={rest.describedBy}>
      {keys.current.for(items.length).map((key, index) => {
        const item = items[index] ?? null;
        const choices = known.includes(item) ? known : [item, ...known];
        return (
          <div key={key} className={styles.listRow}>
            <Select
              id={index === 0 ? rest.id : undefined}
              className="nodrag"
              size={rest.compact ? "s" : "m"}
              label={t("forms.list.item", { name: rest.label, n: index + 1 })}
              value={String(choices.indexOf(item))}
              options={choices.map((choice, at) => ({ value: String(at), label: choiceText(choice) }))}
              onChange={(at) => set(replaced(items, index, choices[Number(at)] ?? null))}
              disabled={disabled}
              invalid={rest.invalid}
            />
            <RowButtons
              index={index}
              count={items.length}
              removable={items.length > (schema.minItems ?? 0)}
              disabled={disabled}
              onMove={(by) => {
                keys.current.moved(index, by);
                set(moved(items, index, by));
              }}
              onRemove={() => {
                keys.current.removed(index);
                set(removed(items, index));
              }}
            />
          </div>
        );
      })}
      <div className={styles.under}>
        <Button
          id={items.length === 0 ? rest.id : undefined}
          size="s"
          variant="ghost"
          icon={<Plus size={13} />}
          disabled={disabled || items.length >= (schema.maxItems ?? Number.POSITIVE_INFINITY)}
          onClick={() => set([...items, known[0] ?? null])}
        >
          {t("forms.list.add")}
        </Button>
      </div>
    </fieldset>
  );
}

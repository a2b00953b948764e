import { Plus, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import { Button, IconButton } from "../ui";
import { DraftText } from "./DraftText";
import { freeName, mixed, renamed, scalarOf, scalarText } from "./pairs";
import type { WidgetProps } from "./types";
import styles from "./widgets.module.css";

/** Names with a value each: `{name}` in a template becomes what stands beside it. */
export function PairsField({ value, schema, onChange, onEnd, disabled, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  const pairs = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  const names = Object.keys(pairs);
  const onlyTexts = !mixed(schema);
  const set = (next: Record<string, Json>) => onChange(next);
  return (
    <fieldset className={styles.stack} aria-labelledby={rest.labelledBy}>
      {names.map((name, index) => (
        // a renamed row keeps its place, so its number is its identity
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <div key={index} className={styles.pair}>
          <DraftText
            size="s"
            id={index === 0 ? rest.id : undefined}
            label={t("forms.pairs.name", { n: index + 1 })}
            describedBy={rest.describedBy}
            mono
            text={name}
            disabled={disabled}
            end={onEnd}
            commit={(text) => {
              const next = renamed(pairs, name, text.trim());
              if (next) set(next);
              return next !== null;
            }}
            canonical={(text) => text.trim()}
          />
          <DraftText
            size="s"
            label={t("forms.pairs.value", { name })}
            text={scalarText(pairs[name] ?? "", onlyTexts)}
            disabled={disabled}
            end={onEnd}
            commit={(text) => {
              set({ ...pairs, [name]: scalarOf(text, onlyTexts) });
              return true;
            }}
            canonical={(text) => scalarText(scalarOf(text, onlyTexts), onlyTexts)}
          />
          <IconButton
            size="s"
            label={t("forms.pairs.remove", { name })}
            icon={<X size={13} />}
            disabled={disabled}
            onClick={() => {
              const { [name]: _, ...others } = pairs;
              set(others);
              onEnd();
            }}
          />
        </div>
      ))}
      <div className={styles.under}>
        <Button
          id={names.length === 0 ? rest.id : undefined}
          size="s"
          variant="ghost"
          icon={<Plus size={13} />}
          disabled={disabled}
          onClick={() => {
            set({ ...pairs, [freeName(pairs, "name")]: "" });
            onEnd();
          }}
        >
          {t("forms.pairs.add")}
        </Button>
      </div>
    </fieldset>
  );
}

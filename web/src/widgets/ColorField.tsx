import { useTranslation } from "react-i18next";
import { TextField as Line } from "../ui";
import type { WidgetProps } from "./types";
import { useDraft } from "./useDraft";
import styles from "./widgets.module.css";

const FULL = /^#[0-9a-f]{6}$/i;
const SHORT = /^#?([0-9a-f])([0-9a-f])([0-9a-f])$/i;

/** "#abc", "abc" and "aabbcc" as "#aabbcc"; anything else as written, for the check to judge. */
function fullColour(text: string): string {
  const written = text.trim();
  const short = SHORT.exec(written);
  if (short) return `#${short[1]}${short[1]}${short[2]}${short[2]}${short[3]}${short[3]}`.toLowerCase();
  return FULL.test(`#${written}`) ? `#${written}`.toLowerCase() : written;
}

/** A colour: the system's picker and its six digits. */
export function ColorField({ value, nullable, onChange, onEnd, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  const text = typeof value === "string" ? value : "";
  const commit = (written: string) => {
    onChange(nullable && written.trim() === "" ? null : fullColour(written));
    return true;
  };
  const { field } = useDraft({ text, commit, end: onEnd, canonical: fullColour });
  return (
    <div className={styles.row}>
      <input
        type="color"
        className={`${styles.swatch} nodrag`}
        aria-label={t("forms.color.pick", { name: rest.label })}
        value={FULL.test(text) ? text.toLowerCase() : "#000000"}
        disabled={rest.disabled}
        onChange={(event) => onChange(event.currentTarget.value)}
        onBlur={onEnd}
      />
      <Line
        {...field}
        id={rest.id}
        size={rest.compact ? "s" : "m"}
        mono
        className="nodrag nopan"
        placeholder={nullable ? t("forms.notSet") : undefined}
        aria-describedby={rest.describedBy}
        invalid={rest.invalid}
        disabled={rest.disabled}
      />
    </div>
  );
}

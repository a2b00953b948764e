import { useId } from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import type { SettingView } from "../graph/ports";
import { useSettingProblems } from "../state/check";
import { cx } from "../ui";
import { areRows, formulaText } from "../widgets/formula";
import { isLong, labelOf, valueText } from "../widgets/label";
import { openSettings } from "./keyboard";
import styles from "./ListSetting.module.css";

/** Lists and tables are told in a few lines: a node that grows with every prompt would push its neighbours away. */
export function isList(value: Json): value is Json[] | { [name: string]: Json } {
  return typeof value === "object" && value !== null;
}

/** A setting that is a list: what is in it, how much, and the way to where it is edited. */
export function ListSetting({ node, flat, setting }: { node: string; flat: string; setting: SettingView }) {
  const { t } = useTranslation();
  const id = useId();
  const broken = useSettingProblems(flat, setting.name).length > 0;
  const formula = setting.widget.kind === "formula" && areRows(setting.value) ? formulaText(setting.value) : null;
  const shown = (formula ?? valueText(setting.value)) || t("canvas.setting.empty");
  const count = isList(setting.value) ? Object.keys(setting.value).length : 0;
  const label = setting.label ?? labelOf(setting.name);
  return (
    <div className={cx(styles.row, isLong(setting.value) && styles.below)}>
      <span id={id} className={styles.label}>
        {label}
      </span>
      <button
        id={`${id}-value`}
        type="button"
        className={cx(styles.value, broken && styles.broken)}
        aria-labelledby={`${id} ${id}-value`}
        title={t("canvas.setting.list", { name: label, text: shown, count })}
        onClick={() => openSettings(node, setting.name)}
      >
        <span className={styles.text}>{shown}</span>
        {count > 1 && <span className={styles.count}>{count}</span>}
      </button>
    </div>
  );
}

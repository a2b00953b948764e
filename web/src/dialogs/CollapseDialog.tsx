import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../ui";
import { Checkbox } from "../ui/Checkbox";
import { Dialog } from "../ui/Dialog";
import { valueText } from "../widgets/label";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";

/** Which settings of the nodes that become a subgraph its node shows. */
export function CollapseDialog({ settings, onClose }: DialogProps<"collapse">) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState(settings.every((one) => !one.usual));
  const shown = all ? settings : settings.filter((one) => one.usual);
  const rest = settings.length - shown.length;
  const toggle = (address: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(address);
    else next.delete(address);
    setChosen(next);
  };
  const nodes = [...new Set(shown.map((one) => one.node))];
  return (
    <Dialog
      open
      title={t("forms.collapse.title")}
      description={t("forms.collapse.text")}
      onOpenChange={(open) => !open && onClose(null)}
      footer={
        <>
          <Button onClick={() => onClose(null)}>{t("forms.cancel")}</Button>
          <Button variant="primary" onClick={() => onClose({ promote: [...chosen] })}>
            {t("forms.collapse.make")}
          </Button>
        </>
      }
    >
      <div className={styles.form}>
        {nodes.map((node) => (
          <fieldset key={node} className={styles.group}>
            <legend className={styles.heading}>{node}</legend>
            {shown
              .filter((one) => one.node === node)
              .map(({ address, label, value }) => (
                <Checkbox
                  key={address}
                  checked={chosen.has(address)}
                  onChange={(on) => toggle(address, on)}
                  label={
                    <>
                      {label} <span className={styles.muted}>{valueText(value)}</span>
                    </>
                  }
                />
              ))}
          </fieldset>
        ))}
        {rest > 0 && (
          <Button size="s" variant="ghost" onClick={() => setAll(true)}>
            {t("forms.collapse.more", { count: rest })}
          </Button>
        )}
      </div>
    </Dialog>
  );
}

import { FileWarning } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";

/** The file was changed by something else since it was opened: whose content stays? */
export function ConflictDialog({ name, onClose }: DialogProps<"conflict">) {
  const { t } = useTranslation();
  return (
    <Dialog
      open
      alert
      title={t("dialogs.conflict.title", { name })}
      description={t("dialogs.conflict.text")}
      onOpenChange={(open) => !open && onClose(null)}
      footer={<Button onClick={() => onClose(null)}>{t("forms.cancel")}</Button>}
    >
      <ul className={styles.choices}>
        {(["saveAs", "theirs", "mine"] as const).map((choice) => (
          <li key={choice}>
            <button type="button" className={styles.choice} onClick={() => onClose(choice)}>
              <strong>{t(`dialogs.conflict.${choice}`)}</strong>
              <span className={choice === "saveAs" ? styles.muted : styles.warning}>
                {choice !== "saveAs" && <FileWarning size={13} aria-hidden />}
                {t(`dialogs.conflict.${choice}Text`)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

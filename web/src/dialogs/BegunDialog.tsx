import { useTranslation } from "react-i18next";
import { Button } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";

/** A training was begun with other code or versions: does it go on from there, or begin anew? */
export function BegunDialog({ problems, onClose }: DialogProps<"begun">) {
  const { t } = useTranslation();
  return (
    <Dialog
      open
      alert
      title={t("dialogs.begun.title")}
      description={t("dialogs.begun.text")}
      onOpenChange={(open) => !open && onClose(null)}
      footer={<Button onClick={() => onClose(null)}>{t("forms.cancel")}</Button>}
    >
      <ul className={styles.choices}>
        {problems.map(({ node, message }) => (
          <li key={node} className={styles.muted}>
            <strong>{node}</strong> {message}
          </li>
        ))}
        {(["resume", "anew"] as const).map((choice) => (
          <li key={choice}>
            <button type="button" className={styles.choice} onClick={() => onClose(choice)}>
              <strong>{t(`dialogs.begun.${choice}`)}</strong>
              <span className={styles.muted}>{t(`dialogs.begun.${choice}Text`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

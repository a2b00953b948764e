import { useTranslation } from "react-i18next";
import { Button } from "../ui";
import { Dialog } from "../ui/Dialog";
import type { DialogProps } from "./kinds";

/** A question with yes and no. */
export function ConfirmDialog({ title, text, confirm, danger = false, onClose }: DialogProps<"confirm">) {
  const { t } = useTranslation();
  return (
    <Dialog
      open
      alert
      size="s"
      title={title}
      description={text}
      onOpenChange={(open) => !open && onClose(null)}
      footer={
        <>
          <Button onClick={() => onClose(null)} autoFocus={danger}>
            {t("forms.cancel")}
          </Button>
          <Button variant={danger ? "danger" : "primary"} onClick={() => onClose(true)} autoFocus={!danger}>
            {confirm}
          </Button>
        </>
      }
    >
      {null}
    </Dialog>
  );
}

import { LayoutTemplate, Plus } from "lucide-react";
import { useTranslation } from "react-i18next";
import { runCommand } from "../state/commands";
import { useBody, useDoc } from "../state/tabs";
import { Button, EmptyState, Kbd } from "../ui";
import styles from "./EmptyCanvas.module.css";

/** What to do with a graph in which nothing is yet; the canvas below still takes every click beside the buttons. */
export function EmptyCanvas() {
  const { t } = useTranslation();
  const readOnly = useDoc((doc) => doc.readOnly);
  const body = useBody();
  const drawn = Object.keys(body.nodes).length + (body.view.notes?.length ?? 0) + (body.view.frames?.length ?? 0);
  if (readOnly || drawn > 0) return null;
  return (
    <div className={styles.cover}>
      <EmptyState
        title={t("shell.empty.title")}
        action={
          <div className={styles.actions}>
            <Button icon={<LayoutTemplate size={15} />} onClick={() => runCommand("file.templates")}>
              {t("shell.empty.template")}
            </Button>
            <Button icon={<Plus size={15} />} onClick={() => runCommand("canvas.search")}>
              {t("shell.search")}
              <Kbd keys="/" />
            </Button>
          </div>
        }
      >
        {t("shell.empty.text")}
      </EmptyState>
    </div>
  );
}

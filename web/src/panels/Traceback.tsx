import { Copy } from "lucide-react";
import { useTranslation } from "react-i18next";
import { writeText } from "../state/clipboard";
import { cx, IconButton } from "../ui";
import styles from "./Traceback.module.css";

/** Where in the code a node failed: folded, because it is for who wrote the code. */
export function Traceback({ text, className }: { text: string; className?: string }) {
  const { t } = useTranslation();
  return (
    <details className={cx(styles.details, className)}>
      <summary>{t("dock.traceback")}</summary>
      <div className={styles.box}>
        <section
          className={styles.text}
          aria-label={t("dock.traceback")}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
          tabIndex={0}
        >
          <pre>{text.trimEnd()}</pre>
        </section>
        <IconButton
          className={styles.copy}
          size="s"
          label={t("dock.traceback.copy")}
          icon={<Copy size={13} />}
          onClick={() => void writeText(text)}
        />
      </div>
    </details>
  );
}

import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { Hello } from "../api/schema";
import { Spinner } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./dialogs.module.css";
import type { DialogProps } from "./kinds";

/** Which version this is, on which machine it works, and where its files lie. */
export function AboutDialog({ onClose }: DialogProps<"about">) {
  const { t } = useTranslation();
  const [hello, setHello] = useState<Hello | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    api.hello().then(setHello, (error: unknown) => setProblem(problemsOf(error)[0]?.message ?? null));
  }, []);
  const rows: [string, string][] = hello
    ? [
        [t("dialogs.about.version"), hello.version],
        [t("dialogs.about.workspace"), hello.workspace],
        [t("dialogs.about.roots"), hello.roots.map((root) => `${root}:`).join(" ")],
        [t("dialogs.about.device"), hello.worker.device ?? t("dialogs.about.unknown")],
        [t("dialogs.about.worker"), t(`dialogs.about.worker.${hello.worker.state}`)],
      ]
    : [];
  return (
    <Dialog open title="hcpgraph" description={t("dialogs.about.text")} onOpenChange={(open) => !open && onClose(null)}>
      {problem && (
        <p className={styles.bad} role="alert">
          {problem}
        </p>
      )}
      {!hello && !problem && <Spinner />}
      <dl className={styles.keys}>
        {rows.map(([name, value]) => (
          <div key={name} className={styles.key}>
            <dt>{name}</dt>
            <dd>
              <code>{value}</code>
            </dd>
          </div>
        ))}
      </dl>
      <p className={styles.muted}>{t("dialogs.about.license")}</p>
    </Dialog>
  );
}

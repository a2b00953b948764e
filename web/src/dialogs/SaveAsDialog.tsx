import { FileJson } from "lucide-react";
import { type FormEvent, useEffect, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { problemsOf } from "../api/errors";
import type { GraphEntry } from "../api/schema";
import { Button, Field, TextField } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./dialogs.module.css";
import { nameFault, tidyName } from "./graphName";
import type { DialogProps } from "./kinds";

/** A name in the workspace. One that is taken is replaced only after a second, plainly named click. */
export function SaveAsDialog({ name, onClose }: DialogProps<"saveAs">) {
  const { t, i18n } = useTranslation();
  const id = useId();
  const [text, setText] = useState(name);
  const [graphs, setGraphs] = useState<GraphEntry[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    api.graphs().then(setGraphs, (error: unknown) => setProblem(problemsOf(error)[0]?.message ?? null));
  }, []);

  const wanted = tidyName(text);
  const fault = nameFault(wanted);
  const taken = graphs.some((entry) => entry.name === wanted);
  const near = graphs.filter((entry) => entry.name.toLowerCase().includes(wanted.toLowerCase()));

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (fault !== null || busy) return;
    if (!taken) return onClose({ name: wanted, etag: null });
    setBusy(true);
    try {
      const { etag } = await api.graph(wanted);
      onClose({ name: wanted, etag });
    } catch (error) {
      setProblem(problemsOf(error)[0]?.message ?? null);
      setBusy(false);
    }
  };

  return (
    <Dialog
      open
      title={t("dialogs.saveAs.title")}
      description={t("dialogs.saveAs.text")}
      onOpenChange={(open) => !open && onClose(null)}
      footer={
        <>
          <Button onClick={() => onClose(null)}>{t("forms.cancel")}</Button>
          <Button
            type="submit"
            form={id}
            variant={taken ? "danger" : "primary"}
            disabled={fault !== null}
            loading={busy}
          >
            {t(taken ? "dialogs.saveAs.replace" : "dialogs.saveAs.save")}
          </Button>
        </>
      }
    >
      <form id={id} className={styles.form} onSubmit={(event) => void submit(event)}>
        <Field
          htmlFor={`${id}-name`}
          label={t("dialogs.saveAs.name")}
          help={taken ? t("dialogs.saveAs.taken") : t("dialogs.saveAs.folder")}
          error={text !== "" && fault !== null ? t(`dialogs.saveAs.fault.${fault}`) : problem}
        >
          <TextField
            id={`${id}-name`}
            value={text}
            autoFocus
            onFocus={(event) => event.currentTarget.select()}
            onChange={(event) => setText(event.currentTarget.value)}
          />
        </Field>
        {near.length > 0 && (
          <section aria-label={t("dialogs.saveAs.existing")}>
            <h3 className={styles.heading}>{t("dialogs.saveAs.existing")}</h3>
            <ul className={styles.files}>
              {near.map((entry) => (
                <li key={entry.name}>
                  <button type="button" className={styles.file} onClick={() => setText(entry.name)}>
                    <FileJson size={14} aria-hidden />
                    <span>{entry.name}</span>
                    <time>{new Date(entry.modified * 1000).toLocaleDateString(i18n.language)}</time>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        )}
      </form>
    </Dialog>
  );
}

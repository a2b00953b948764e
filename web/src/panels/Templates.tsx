import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { TemplateEntry } from "../api/schema";
import { openTemplate } from "../shell/documents";
import { attempt } from "../shell/report";
import { Section, Spinner } from "../ui";
import { Broken } from "./GraphFiles";
import styles from "./Templates.module.css";
import { useListing } from "./useListing";

/** Ready graphs, by what they are for. A click opens a copy. */
export function Templates() {
  const load = useCallback((signal: AbortSignal) => api.templates({ signal }), []);
  const { t } = useTranslation();
  const { items, problem, reload } = useListing<TemplateEntry>(load);
  if (problem) return <Broken text={problem.message} reload={reload} />;
  if (!items) return <Spinner />;
  const groups = [...new Set(items.map((entry) => entry.groups))];
  // What a beginner needs comes first; the rest as the server sorts it.
  groups.sort((a, b) => Number(b === "quickstart") - Number(a === "quickstart"));
  return (
    <div className={styles.panel}>
      {groups.map((group) => (
        <Section key={group} flush title={t(`shell.template.${group}`, group)}>
          <ul className={styles.list}>
            {items
              .filter((entry) => entry.groups === group)
              .map((entry) => (
                <Card key={entry.name} entry={entry} />
              ))}
          </ul>
        </Section>
      ))}
    </div>
  );
}

function Card({ entry }: { entry: TemplateEntry }) {
  const [busy, setBusy] = useState(false);
  const open = async () => {
    setBusy(true);
    await attempt(() => openTemplate(entry.name));
    setBusy(false);
  };
  return (
    <li>
      <button type="button" className={styles.card} onClick={open} aria-busy={busy}>
        {entry.picture && <img className={styles.picture} src={entry.picture} alt="" loading="lazy" />}
        <span className={styles.text}>
          <span className={styles.title}>{entry.title}</span>
          <span className={styles.description}>{entry.description}</span>
        </span>
      </button>
    </li>
  );
}

import { Ellipsis, FileJson2, FolderOpen, Pencil, RefreshCw, Trash2 } from "lucide-react";
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { GraphEntry } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/files.json";
import { openGraph } from "../shell/documents";
import { attempt } from "../shell/report";
import { useSession } from "../state/session";
import { useDoc, useTabs } from "../state/tabs";
import { Button, cx, EmptyState, IconButton, Menu, MenuItem, MenuSeparator, Spinner, TextField } from "../ui";
import styles from "./Files.module.css";
import { useListing } from "./useListing";

addTexts(english);

/** The graphs that are saved in the workspace. */
export function GraphFiles() {
  const { t } = useTranslation();
  // Saving a document may have made a new file.
  const saved = useDoc((doc) => `${doc.name}:${doc.etag}`);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `saved` says when to read again
  const load = useCallback((signal: AbortSignal) => api.graphs({ signal }), [saved]);
  const { items, problem, reload } = useListing<GraphEntry>(load);
  if (problem) return <Broken text={problem.message} reload={reload} />;
  if (!items) return <Spinner />;
  if (items.length === 0) return <EmptyState title={t("files.noGraphs")}>{t("files.noGraphs.text")}</EmptyState>;
  return (
    <ul>
      {items.map((entry) => (
        <GraphRow key={entry.name} entry={entry} reload={reload} />
      ))}
    </ul>
  );
}

export function Broken({ text, reload }: { text: string; reload: () => void }) {
  const { t } = useTranslation();
  return (
    <EmptyState
      title={t("files.failed")}
      action={
        <Button size="s" icon={<RefreshCw size={13} />} onClick={reload}>
          {t("shell.again")}
        </Button>
      }
    >
      {text}
    </EmptyState>
  );
}

function GraphRow({ entry, reload }: { entry: GraphEntry; reload: () => void }) {
  const { t, i18n } = useTranslation();
  const [renaming, setRenaming] = useState(false);
  const current = useDoc((doc) => doc.name === entry.name);
  const modified = new Date(entry.modified * 1000).toLocaleString(i18n.language, {
    dateStyle: "medium",
    timeStyle: "short",
  });

  const rename = async (to: string) => {
    setRenaming(false);
    if (!to || to === entry.name) return;
    const { etag } = await api.graph(entry.name);
    const moved = await api.moveGraph(entry.name, to, etag ?? "");
    for (const tab of useTabs.getState().tabs) {
      const { name, graph, saved } = tab.doc.getState();
      if (name === entry.name) tab.doc.mark(moved, saved ?? graph);
    }
    reload();
  };
  const remove = async () => {
    const answer = await useSession.getState().openDialog("confirm", {
      title: t("files.delete.title", { name: entry.name }),
      text: t("files.delete.text"),
      confirm: t("files.delete"),
      danger: true,
    });
    if (!answer) return;
    const { etag } = await api.graph(entry.name);
    await api.deleteGraph(entry.name, etag ?? "");
    reload();
  };

  if (renaming) {
    return (
      <li className={styles.row}>
        <Rename name={entry.name} done={(to) => attempt(() => rename(to))} />
      </li>
    );
  }
  return (
    <li className={cx(styles.row, current && styles.current)}>
      <button
        type="button"
        className={styles.open}
        aria-current={current ? "true" : undefined}
        title={`${entry.name}\n${modified}`}
        onClick={() => attempt(() => openGraph(entry.name))}
      >
        <FileJson2 size={15} className={styles.icon} aria-hidden />
        <span className={styles.names}>
          <span className={styles.name}>{entry.name}</span>
          {entry.title && entry.title !== entry.name && <span className={styles.second}>{entry.title}</span>}
        </span>
      </button>
      <Menu
        align="end"
        trigger={<IconButton size="s" label={t("files.more", { name: entry.name })} icon={<Ellipsis size={14} />} />}
      >
        <MenuItem icon={<FolderOpen size={14} />} onSelect={() => attempt(() => openGraph(entry.name))}>
          {t("files.open")}
        </MenuItem>
        <MenuItem icon={<Pencil size={14} />} onSelect={() => setRenaming(true)}>
          {t("files.rename")}
        </MenuItem>
        <MenuSeparator />
        <MenuItem danger icon={<Trash2 size={14} />} onSelect={() => attempt(remove)}>
          {t("files.delete")}
        </MenuItem>
      </Menu>
    </li>
  );
}

function Rename({ name, done }: { name: string; done: (to: string) => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(name);
  return (
    <TextField
      size="s"
      // The row asked for it: nothing else can be meant by the next key.
      autoFocus
      aria-label={t("files.newName", { name })}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onFocus={(event) => event.target.select()}
      onBlur={() => done(text.trim())}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") {
          event.stopPropagation();
          done(name);
        }
      }}
    />
  );
}

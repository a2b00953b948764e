import { CircleAlert, File, FileJson, FileText, Folder, Image as ImageIcon, Weight } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { FileEntry, Problem } from "../api/schema";
import { formatBytes } from "../panels/format";
import { cx, Spinner } from "../ui";
import styles from "./FilePicker.module.css";

const ICONS = { folder: Folder, image: ImageIcon, weights: Weight, graph: FileJson, text: FileText, other: File };

interface FileListProps {
  /** null: not here yet. */
  entries: readonly FileEntry[] | null;
  problem: Problem | null;
  chosen: string | null;
  empty: string;
  onChoose: (entry: FileEntry) => void;
  onOpen: (entry: FileEntry) => void;
  onUp: () => void;
}

/** The files of a folder as a list to walk with the arrow keys; Enter opens, Backspace goes up. */
export function FileList({ entries, problem, chosen, empty, onChoose, onOpen, onUp }: FileListProps) {
  const { t, i18n } = useTranslation();
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const at = entries?.findIndex((entry) => entry.uri === chosen) ?? -1;

  const here = entries !== null && problem === null;
  useEffect(() => {
    // a folder was entered: go on with the arrow keys, unless a name or a filter is being written
    if (here && !(document.activeElement instanceof HTMLInputElement)) list.current?.focus();
  }, [here]);

  const choose = (index: number) => {
    const entry = entries?.[index];
    if (!entry) return;
    onChoose(entry);
    list.current?.children[index]?.scrollIntoView({ block: "nearest" });
  };
  const keyDown = (event: KeyboardEvent) => {
    if (!entries) return;
    const last = entries.length - 1;
    const next = { ArrowDown: Math.min(last, at + 1), ArrowUp: Math.max(0, at - 1), Home: 0, End: last }[event.key];
    const entry = entries[at];
    if (next !== undefined) choose(next);
    else if (event.key === "Enter" && entry) onOpen(entry);
    else if (event.key === "Backspace") onUp();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const letter = event.key.toLowerCase();
      const order = [...entries.keys()].map((index) => (at + 1 + index) % entries.length);
      choose(order.find((index) => entries[index]?.name.toLowerCase().startsWith(letter)) ?? at);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  if (problem) {
    return (
      <p className={cx(styles.list, styles.message)} role="alert">
        <CircleAlert size={14} aria-hidden /> {problem.message}
      </p>
    );
  }
  if (!entries) {
    return (
      <p className={cx(styles.list, styles.message)} role="status">
        <Spinner /> {t("forms.loading")}
      </p>
    );
  }
  return (
    <div
      ref={list}
      className={styles.list}
      role="listbox"
      tabIndex={0}
      aria-label={t("picker.files")}
      aria-activedescendant={at < 0 ? undefined : `${id}-${at}`}
      onKeyDown={keyDown}
    >
      {entries.length === 0 && <p className={styles.message}>{empty}</p>}
      {entries.map((entry, index) => {
        const Icon = ICONS[entry.kind];
        return (
          // the keys are those of the list, which has the focus
          // biome-ignore lint/a11y/useKeyWithClickEvents: see above
          // biome-ignore lint/a11y/useFocusableInteractive: see above
          <div
            key={entry.uri}
            id={`${id}-${index}`}
            role="option"
            aria-selected={entry.uri === chosen}
            className={styles.entry}
            onClick={() => onChoose(entry)}
            onDoubleClick={() => onOpen(entry)}
          >
            {entry.kind === "image" ? (
              <img className={styles.thumb} src={api.thumbUrl(entry.uri, 64, entry.modified)} alt="" loading="lazy" />
            ) : (
              <Icon size={16} className={styles.icon} aria-hidden />
            )}
            <span className={styles.name}>{entry.name}</span>
            <span className={styles.size}>
              {entry.kind === "folder"
                ? entry.count === undefined
                  ? ""
                  : t("forms.path.count", { count: entry.count })
                : formatBytes(entry.size, i18n.language)}
            </span>
            <time className={styles.time}>{new Date(entry.modified * 1000).toLocaleDateString(i18n.language)}</time>
          </div>
        );
      })}
    </div>
  );
}

import { ArrowUp, ChevronRight, FolderUp, RefreshCw, Search, Upload as UploadIcon } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FileEntry } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/picker.json";
import { Button, IconButton, Progress, Segments, TextField } from "../ui";
import { Dialog } from "../ui/Dialog";
import type { Dropped } from "./dropped";
import { FileList } from "./FileList";
import styles from "./FilePicker.module.css";
import { PickFiles } from "./PickFiles";
import { crumbsOf, joinUri, nameOf, parentOf, splitUri } from "./uri";
import { useFileDrop } from "./useFileDrop";
import { forgetListings, useListing } from "./useListing";
import { useUpload } from "./useUpload";

addTexts(english);

interface FilePickerProps {
  title: string;
  /** The path that is set now; its folder is opened. */
  start: string;
  roots: readonly string[];
  kind: "file" | "folder" | "any";
  suffixes: readonly string[];
  /** A place to write to: a name that is not there yet may be given. */
  write: boolean;
  uploadRoot: "data" | "models" | null;
  onPick: (uri: string) => void;
  onClose: () => void;
}

/** What can be chosen: folders always, to look into them; files by their ending. */
export function fitting(entries: readonly FileEntry[], kind: FilePickerProps["kind"], suffixes: readonly string[]) {
  return entries.filter((entry) => {
    if (entry.kind === "folder") return true;
    if (kind === "folder") return false;
    return suffixes.length === 0 || suffixes.some((suffix) => entry.name.toLowerCase().endsWith(suffix));
  });
}

/** A dialog that walks through the named roots. Folders open, files are chosen; dropped files are uploaded. */
export function FilePicker(props: FilePickerProps) {
  const { t } = useTranslation();
  const { roots, kind, suffixes, uploadRoot, write } = props;
  const [folder, setFolder] = useState(() => startFolder(props.start, roots));
  const [mark, setMark] = useState<string | null>(props.start);
  const [query, setQuery] = useState("");
  const [name, setName] = useState(() => (write && splitUri(props.start) ? nameOf(props.start) : ""));
  const [turn, setTurn] = useState(0);
  const { entries, problem } = useListing(folder, turn);
  const chosen = entries?.find((entry) => entry.uri === mark) ?? null;
  const upload = useUpload();
  const root = useRef<HTMLDivElement>(null);

  const go = (uri: string) => {
    setFolder(uri);
    setMark(null);
    setQuery("");
  };
  const open = (entry: FileEntry) => {
    if (entry.kind === "folder") go(entry.uri);
    else if (write) choose(entry);
    else props.onPick(entry.uri);
  };
  const choose = (entry: FileEntry) => {
    setMark(entry.uri);
    if (write && (entry.kind !== "folder" || kind === "folder")) setName(entry.name);
  };
  const send = async (dropped: Dropped) => {
    if (!uploadRoot || dropped.files.length === 0) return;
    const wrapped = kind === "folder" && dropped.folder === null ? { ...dropped, folder: "files" } : dropped;
    const sent = await upload.send(uploadRoot, wrapped);
    if (sent) props.onPick(sent.uri);
  };
  const over = useFileDrop(root, (dropped) => void send(dropped), uploadRoot !== null);

  const shown = entries
    ? fitting(entries, kind, suffixes).filter((entry) => entry.name.toLowerCase().includes(query.toLowerCase()))
    : null;
  const result = resultOf({ write, kind, folder, chosen, name: name.trim() });

  return (
    <Dialog
      open
      onOpenChange={(is) => !is && props.onClose()}
      size="l"
      title={t(write ? "picker.where" : "picker.title", { name: props.title })}
      footer={
        <>
          <output className={styles.result}>{result ?? ""}</output>
          <Button onClick={props.onClose}>{t("forms.cancel")}</Button>
          <Button variant="primary" disabled={result === null} onClick={() => result && props.onPick(result)}>
            {t(result === folder ? "picker.thisFolder" : "picker.choose")}
          </Button>
        </>
      }
    >
      <div ref={root} className={styles.picker} data-over={over || undefined}>
        <div className={styles.bar}>
          <Segments
            label={t("picker.roots")}
            value={splitUri(folder)?.root ?? ""}
            onChange={(root) => go(joinUri(root))}
            options={roots.map((root) => ({ value: root, label: `${root}:` }))}
          />
          <span className={styles.gap} />
          {uploadRoot && (
            <>
              {kind !== "folder" && (
                <PickFiles
                  icon={<UploadIcon size={13} />}
                  accept={suffixes.join(",") || undefined}
                  onPick={(dropped) => void send(dropped)}
                >
                  {t("forms.upload.files")}
                </PickFiles>
              )}
              {kind !== "file" && (
                <PickFiles folder icon={<FolderUp size={13} />} onPick={(dropped) => void send(dropped)}>
                  {t("forms.upload.folder")}
                </PickFiles>
              )}
            </>
          )}
        </div>
        <div className={styles.bar}>
          <IconButton
            size="s"
            label={t("picker.up")}
            icon={<ArrowUp size={14} />}
            disabled={parentOf(folder) === null}
            onClick={() => go(parentOf(folder) ?? folder)}
          />
          <nav className={styles.crumbs} aria-label={t("picker.place")}>
            {crumbsOf(folder).map((crumb, index) => (
              <span key={crumb} className={styles.crumb}>
                {index > 0 && <ChevronRight size={12} aria-hidden />}
                <button
                  type="button"
                  onClick={() => go(crumb)}
                  aria-current={crumb === folder ? "location" : undefined}
                >
                  {index === 0 ? crumb : nameOf(crumb)}
                </button>
              </span>
            ))}
          </nav>
          <span className={styles.search}>
            <TextField
              size="s"
              lead={<Search size={13} />}
              value={query}
              aria-label={t("picker.search")}
              placeholder={t("picker.search")}
              onChange={(event) => setQuery(event.currentTarget.value)}
            />
          </span>
          <IconButton
            size="s"
            label={t("picker.refresh")}
            icon={<RefreshCw size={13} />}
            onClick={() => {
              forgetListings();
              setTurn(turn + 1);
            }}
          />
        </div>
        {upload.progress !== null ? (
          <div className={styles.sending}>
            <p>{t("forms.upload.running")}</p>
            <Progress value={upload.progress} label={t("forms.upload.running")} />
            <Button size="s" onClick={upload.cancel}>
              {t("forms.upload.cancel")}
            </Button>
          </div>
        ) : (
          <FileList
            entries={shown}
            problem={upload.problem ?? problem}
            chosen={chosen?.uri ?? null}
            empty={t(query ? "picker.noMatch" : "picker.empty")}
            onChoose={choose}
            onOpen={open}
            onUp={() => go(parentOf(folder) ?? folder)}
          />
        )}
        {write ? (
          <TextField
            value={name}
            mono
            aria-label={t("picker.name")}
            placeholder={t("picker.name")}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        ) : (
          uploadRoot && <p className={styles.hint}>{t("forms.upload.drop")}</p>
        )}
      </div>
    </Dialog>
  );
}

function startFolder(uri: string, roots: readonly string[]): string {
  const parts = splitUri(uri);
  const first = joinUri(roots[0] ?? "data");
  return parts && roots.includes(parts.root) ? (parentOf(uri) ?? joinUri(parts.root)) : first;
}

/** The path that "Choose" gives, or null when nothing fits yet. */
export function resultOf(state: {
  write: boolean;
  kind: "file" | "folder" | "any";
  folder: string;
  chosen: FileEntry | null;
  name: string;
}): string | null {
  const { write, kind, folder, chosen, name } = state;
  const here = splitUri(folder);
  if (!here) return null;
  if (write) {
    const into = chosen?.kind === "folder" && chosen.name !== name ? chosen.uri : folder;
    const base = splitUri(into);
    return name === "" || !base ? null : joinUri(base.root, base.path, name);
  }
  if (chosen && (chosen.kind !== "folder" || kind !== "file")) return chosen.uri;
  return kind === "file" || here.path === "" ? null : folder;
}

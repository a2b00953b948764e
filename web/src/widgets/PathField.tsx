import { CircleAlert, File, FilePlus, FolderOpen } from "lucide-react";
import { lazy, Suspense, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { FileEntry } from "../api/schema";
import { formatBytes } from "../panels/format";
import { IconButton, Progress } from "../ui";
import type { Dropped } from "./dropped";
import { GrowingText } from "./GrowingText";
import type { WidgetProps } from "./types";
import { nameOf, parentOf, splitUri } from "./uri";
import { useFileDrop } from "./useFileDrop";
import { useListing } from "./useListing";
import { useUpload } from "./useUpload";
import styles from "./widgets.module.css";

const FilePicker = lazy(() => import("./FilePicker").then(({ FilePicker }) => ({ default: FilePicker })));

const ROOTS = {
  read: ["data", "models", "out", "cache", "builtin"],
  model: ["models", "builtin", "out"],
  write: ["out"],
  weights: ["out", "models"],
};

/** What stands for a file in its folder. */
type Found = "missing" | "unknown" | FileEntry;

/** A `root:relative` path: typed, chosen from the named roots, or uploaded by dropping files on it. */
export function PathField({ value, hint, nullable, onChange, onEnd, ...rest }: WidgetProps) {
  const { t } = useTranslation();
  const [picking, setPicking] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const upload = useUpload();
  const text = typeof value === "string" ? value : "";
  const write = hint.write === true;
  const model = hint.kind === "model";
  const uploadRoot = write ? null : model ? "models" : "data";
  const folders = hint.kind_of === "folder";

  const commit = (written: string) => {
    const uri = withRoot(written, write ? "out" : (uploadRoot ?? "data"));
    onChange(nullable && uri === "" ? null : uri);
    return true;
  };
  const canonical = (written: string) => withRoot(written, write ? "out" : (uploadRoot ?? "data"));
  const found = useFound(text);

  const take = async (dropped: Dropped) => {
    if (!uploadRoot) return;
    // a folder is asked for and loose files were given: they become a folder
    const wrapped = folders && dropped.folder === null ? { ...dropped, folder: "files" } : dropped;
    const sent = await upload.send(uploadRoot, wrapped);
    if (sent) {
      onChange(sent.uri);
      onEnd();
    }
  };
  const over = useFileDrop(root, (dropped) => void take(dropped), uploadRoot !== null && !rest.disabled);

  return (
    <div ref={root} className={styles.stack} data-over={over || undefined}>
      <div className={styles.row}>
        <GrowingText
          id={rest.id}
          text={text}
          oneLine
          rows={1}
          mono
          compact={rest.compact}
          canonical={canonical}
          onChange={commit}
          onEnd={onEnd}
          placeholder={nullable ? t("forms.notSet") : `${write ? "out" : (uploadRoot ?? "data")}:…`}
          describedBy={rest.describedBy}
          invalid={rest.invalid || (found === "missing" && !write)}
          disabled={rest.disabled}
        />
        <IconButton
          className="nodrag"
          size={rest.compact ? "s" : "m"}
          label={t(write ? "forms.path.where" : "forms.path.browse")}
          icon={<FolderOpen size={15} />}
          disabled={rest.disabled}
          onClick={() => setPicking(true)}
        />
      </div>
      {upload.progress !== null && <Progress value={upload.progress} label={t("forms.upload.running")} />}
      {upload.problem && (
        <p className={styles.fault} role="alert">
          <CircleAlert size={13} aria-hidden /> {upload.problem.message}
        </p>
      )}
      {!rest.compact && <FoundNote uri={text} found={found} write={write} />}
      {picking && (
        <Suspense fallback={null}>
          <FilePicker
            title={rest.label}
            start={text}
            roots={ROOTS[write ? (model ? "weights" : "write") : model ? "model" : "read"]}
            kind={hint.kind_of ?? "any"}
            suffixes={hint.suffixes ?? []}
            write={write}
            uploadRoot={uploadRoot}
            onClose={() => setPicking(false)}
            onPick={(uri) => {
              setPicking(false);
              onChange(uri);
              onEnd();
            }}
          />
        </Suspense>
      )}
    </div>
  );
}

/** A name without a root is below the usual one: "cat.png" is "out:cat.png". */
function withRoot(written: string, root: string): string {
  const text = written.trim();
  if (text === "" || splitUri(text) || text.startsWith("/") || /^[A-Za-z]:/.test(text)) return text;
  return `${root}:${text}`;
}

function useFound(uri: string): Found {
  const folder = uri.startsWith("hub:") ? null : parentOf(uri);
  const { entries, problem } = useListing(folder);
  if (folder === null) return "unknown";
  if (problem) return problem.code === "E_NOT_FOUND" ? "missing" : "unknown";
  if (!entries) return "unknown";
  return entries.find((entry) => entry.name === nameOf(uri)) ?? "missing";
}

function FoundNote({ uri, found, write }: { uri: string; found: Found; write: boolean }) {
  const { t, i18n } = useTranslation();
  if (uri === "" || found === "unknown" || (found === "missing" && write)) return null;
  if (found === "missing") {
    return (
      <p className={styles.fault}>
        <CircleAlert size={13} aria-hidden /> {t("forms.path.missing")}
      </p>
    );
  }
  if (write) {
    return (
      <p className={styles.note}>
        <FilePlus size={13} aria-hidden /> {t("forms.path.taken")}
      </p>
    );
  }
  const about =
    found.kind === "folder"
      ? t("forms.path.count", { count: found.count ?? 0 })
      : formatBytes(found.size, i18n.language);
  if (found.kind === "image") {
    return (
      <p className={styles.note}>
        <img className={styles.thumb} src={api.thumbUrl(uri, 128, found.modified)} alt={found.name} loading="lazy" />
        {about}
      </p>
    );
  }
  return (
    <p className={styles.note}>
      {found.kind === "folder" ? <FolderOpen size={13} aria-hidden /> : <File size={13} aria-hidden />} {about}
    </p>
  );
}

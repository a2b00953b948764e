import {
  ArrowUp,
  Download,
  Ellipsis,
  FileJson2,
  FileText,
  Folder,
  Image,
  Package,
  RefreshCw,
  Trash2,
  Upload,
  Workflow,
} from "lucide-react";
import { type ReactNode, useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { FileEntry } from "../api/schema";
import { addTexts } from "../i18n";
import english from "../i18n/en/files.json";
import { chooseFiles, openFileGraph } from "../shell/documents";
import { attempt } from "../shell/report";
import { useServer } from "../state/server";
import { useSession } from "../state/session";
import { EmptyState, IconButton, Menu, MenuItem, MenuSeparator, Progress, Select, Spinner } from "../ui";
import styles from "./Files.module.css";
import { formatBytes } from "./format";
import { Broken } from "./GraphFiles";
import { useListing } from "./useListing";

addTexts(english);

const ICONS: Record<FileEntry["kind"], ReactNode> = {
  folder: <Folder size={15} />,
  image: <Image size={15} />,
  weights: <Package size={15} />,
  graph: <FileJson2 size={15} />,
  text: <FileText size={15} />,
  other: <FileText size={15} />,
};

/** "out:cats/one" -> "out:cats", "out:cats" -> "out:", "out:" -> null. */
function parentOf(uri: string): string | null {
  const colon = uri.indexOf(":") + 1;
  const path = uri.slice(colon).replace(/\/+$/, "");
  if (path === "") return null;
  const slash = path.lastIndexOf("/");
  return uri.slice(0, colon) + (slash < 0 ? "" : path.slice(0, slash));
}

/** Walk through the named roots: pictures with thumbnails, weights, folders; upload, download, delete. */
export function FolderBrowser() {
  const { t } = useTranslation();
  const roots = useServer((state) => state.hello?.roots) ?? [];
  const [uri, setUri] = useState("out:");
  const [sent, setSent] = useState<number | null>(null);
  const load = useCallback((signal: AbortSignal) => api.files(uri, { signal }), [uri]);
  const { items, problem, reload } = useListing<FileEntry>(load);
  const root = uri.slice(0, uri.indexOf(":"));
  const up = parentOf(uri);

  const upload = async (files: File[]) => {
    if (files.length === 0 || (root !== "data" && root !== "models")) return;
    setSent(0);
    try {
      for (const [index, file] of files.entries()) {
        const onProgress = (done: number, total: number) => setSent((index + done / Math.max(total, 1)) / files.length);
        await api.upload(root, [file], { onProgress });
      }
      setUri(`${root}:uploads`);
      reload();
    } finally {
      setSent(null);
    }
  };
  const accept = root === "models" ? ".safetensors,.gguf" : "image/*,.txt,.json,.jsonl,.csv";

  return (
    <div>
      <div className={styles.bar}>
        <Select
          size="s"
          label={t("files.root")}
          value={root}
          onChange={(next) => setUri(`${next}:`)}
          options={roots.map((name) => ({ value: name, label: t(`shell.root.${name}`, name) }))}
        />
        <IconButton
          size="s"
          label={t("files.up")}
          icon={<ArrowUp size={14} />}
          disabled={up === null}
          onClick={() => up !== null && setUri(up)}
        />
        <IconButton size="s" label={t("files.reload")} icon={<RefreshCw size={14} />} onClick={reload} />
        {(root === "data" || root === "models") && (
          <IconButton
            size="s"
            label={t("files.upload")}
            icon={<Upload size={14} />}
            onClick={() => attempt(async () => upload(await chooseFiles(accept, true)))}
          />
        )}
      </div>
      <p className={styles.path}>{uri}</p>
      {sent !== null && <Progress value={sent} label={t("files.uploading")} />}
      {problem ? (
        <Broken text={problem.message} reload={reload} />
      ) : !items ? (
        <Spinner />
      ) : items.length === 0 ? (
        <EmptyState title={t("files.empty")} />
      ) : (
        <ul>
          {items.map((entry) => (
            <FileRow key={entry.uri} entry={entry} enter={setUri} reload={reload} />
          ))}
        </ul>
      )}
    </div>
  );
}

/** Only what the server lets go: results and uploads. */
function deletable(uri: string): boolean {
  return /^(out:|(data|models):uploads\/)./.test(uri);
}

function FileRow({ entry, enter, reload }: { entry: FileEntry; enter: (uri: string) => void; reload: () => void }) {
  const { t, i18n } = useTranslation();
  const { kind, uri, name } = entry;
  const carries = kind === "image" || kind === "weights" || kind === "graph";
  const second =
    kind === "folder"
      ? entry.count !== undefined && t("files.count", { count: entry.count })
      : formatBytes(entry.size, i18n.language);

  const click = () => {
    if (kind === "folder") enter(uri);
    else if (kind === "graph") attempt(() => openFileGraph(uri));
    else window.open(api.fileUrl(uri, kind !== "image"), "_blank", "noopener");
  };
  const remove = async () => {
    const answer = await useSession.getState().openDialog("confirm", {
      title: t("files.delete.title", { name }),
      text: t("files.delete.text"),
      confirm: t("files.delete"),
      danger: true,
    });
    if (!answer) return;
    await api.deleteFile(uri);
    reload();
  };

  return (
    <li className={styles.row}>
      <button type="button" className={styles.open} title={uri} onClick={click}>
        {kind === "image" ? (
          <img className={styles.thumb} src={api.thumbUrl(uri, 64, entry.modified)} alt="" loading="lazy" />
        ) : (
          <span className={styles.icon}>{ICONS[kind]}</span>
        )}
        <span className={styles.names}>
          <span className={styles.name}>{name}</span>
          {second && <span className={styles.second}>{second}</span>}
        </span>
      </button>
      {(kind !== "folder" || deletable(uri)) && (
        <Menu
          align="end"
          trigger={<IconButton size="s" label={t("files.more", { name })} icon={<Ellipsis size={14} />} />}
        >
          {carries && (
            <MenuItem icon={<Workflow size={14} />} onSelect={() => attempt(() => openFileGraph(uri))}>
              {t("files.openGraph")}
            </MenuItem>
          )}
          {kind !== "folder" && (
            <MenuItem
              icon={<Download size={14} />}
              onSelect={() => window.open(api.fileUrl(uri, true), "_blank", "noopener")}
            >
              {t("files.download")}
            </MenuItem>
          )}
          {deletable(uri) && (
            <>
              {kind !== "folder" && <MenuSeparator />}
              <MenuItem danger icon={<Trash2 size={14} />} onSelect={() => attempt(remove)}>
                {t("files.delete")}
              </MenuItem>
            </>
          )}
        </Menu>
      )}
    </li>
  );
}

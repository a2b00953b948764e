import { ChartLine, Columns2, Copy, Download, Target, Trash2, Workflow } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { Imported } from "../api/schema";
import { openFileGraph } from "../shell/documents";
import { attempt } from "../shell/report";
import { writeText } from "../state/clipboard";
import { useRuns } from "../state/run";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { Button, Spinner } from "../ui";
import { useChartView } from "./chartView";
import { formatBytes, formatTime } from "./format";
import styles from "./GalleryViewer.module.css";
import { madeOf } from "./madeOf";
import type { Picture } from "./pictures";

interface GalleryMetaProps {
  picture: Picture;
  /** Something else is shown now: close the viewer. */
  onLeave: () => void;
  onDeleted?: (() => void) | undefined;
  onCompare?: (() => void) | undefined;
}

/** What a picture is, what made it, and what can be done with it. */
export function GalleryMeta({ picture, onLeave, onDeleted, onCompare }: GalleryMetaProps) {
  const { t, i18n } = useTranslation();
  const { uri, node, step, width, height, size } = picture;
  const found = useEmbedded(uri);
  const index = useSpecs((state) => state.index);
  const here = useRuns((state) => state.tab !== null && state.shown[state.tab] === state.active);
  const { showDock, focusNode } = useSession.getState();
  const facts: [string, string | undefined][] = [
    [t("gallery.meta.file"), uri],
    [t("gallery.meta.written"), formatTime(picture.t, i18n.language)],
    [t("gallery.meta.node"), node],
    [t("gallery.meta.step"), step?.toString()],
    [t("gallery.meta.pixels"), width && height ? `${width} × ${height}` : undefined],
    [t("gallery.meta.size"), size === undefined ? undefined : formatBytes(size, i18n.language)],
    [t("gallery.meta.values"), picture.notFinite ? t("gallery.meta.values.notFinite") : undefined],
    [t("gallery.meta.graph"), typeof found === "object" ? found?.graph.meta.title : undefined],
  ];
  const leaveFor = (act: () => void) => {
    onLeave();
    act();
  };
  const remove = async () => {
    const answer = await useSession.getState().openDialog("confirm", {
      title: t("gallery.meta.delete"),
      text: t("gallery.meta.delete.text", { uri }),
      confirm: t("gallery.meta.delete"),
      danger: true,
    });
    if (!answer) return;
    await attempt(async () => {
      await api.deleteFile(uri);
      onDeleted?.();
    });
  };
  return (
    <aside className={styles.meta} aria-label={t("gallery.viewer.meta")}>
      <dl className={styles.facts}>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <div className={styles.actions}>
        <Button
          full
          icon={<Workflow size={14} />}
          disabled={typeof found !== "object"}
          onClick={() => leaveFor(() => attempt(() => openFileGraph(uri)))}
        >
          {t("gallery.meta.openGraph")}
        </Button>
        {onCompare && (
          <Button full icon={<Columns2 size={14} />} onClick={onCompare}>
            {t("gallery.meta.compare")}
          </Button>
        )}
        {step !== undefined && (
          <Button
            full
            icon={<ChartLine size={14} />}
            onClick={() =>
              leaveFor(() => {
                useChartView.getState().reveal(step);
                showDock("loss");
              })
            }
          >
            {t("gallery.meta.reveal")}
          </Button>
        )}
        {node !== undefined && here && (
          <Button full icon={<Target size={14} />} onClick={() => leaveFor(() => focusNode(node))}>
            {t("gallery.meta.focus")}
          </Button>
        )}
        <a className={styles.link} href={api.fileUrl(uri, true)}>
          <Download size={14} aria-hidden />
          {t("gallery.meta.download")}
        </a>
        {onDeleted && (
          <Button full icon={<Trash2 size={14} />} onClick={remove}>
            {t("gallery.meta.delete")}
          </Button>
        )}
      </div>
      {found === "loading" && (
        <p className={styles.note}>
          <Spinner /> {t("dock.loading")}
        </p>
      )}
      {found === "none" && <p className={styles.note}>{t("gallery.meta.none")}</p>}
      {typeof found === "object" && index && (
        <dl className={styles.facts}>
          {madeOf(found.graph, index).map(({ place, value }) => (
            <div key={place}>
              <dt className={styles.copyable}>
                {place}
                <button
                  type="button"
                  className={styles.copy}
                  aria-label={t("gallery.meta.copy", { place })}
                  onClick={() => void writeText(value)}
                >
                  <Copy size={12} />
                </button>
              </dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </aside>
  );
}

/** The graph inside a picture. */
function useEmbedded(uri: string): Imported | "loading" | "none" {
  const [found, setFound] = useState<Imported | "loading" | "none">("loading");
  useEffect(() => {
    const control = new AbortController();
    api
      .fileGraph(uri, { signal: control.signal })
      .then(setFound)
      // No graph in it, or not ours: the picture is shown all the same.
      .catch(() => !control.signal.aborted && setFound("none"));
    return () => control.abort();
  }, [uri]);
  return found;
}

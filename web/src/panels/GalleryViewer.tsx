import { ChevronLeft, ChevronRight, Maximize2, PanelRight, X, ZoomIn, ZoomOut } from "lucide-react";
import { Dialog } from "radix-ui";
import { type KeyboardEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/gallery.json";
import { IconButton } from "../ui";
import { GalleryMeta } from "./GalleryMeta";
import styles from "./GalleryViewer.module.css";
import { nameOf } from "./pictureFiles";
import type { Picture } from "./pictures";
import { bounded, ZoomStage } from "./ZoomStage";

addTexts(english);

interface GalleryViewerProps {
  pictures: readonly Picture[];
  start: number;
  onClose: () => void;
  onDeleted?: (picture: Picture) => void;
  onCompare?: (before: Picture, after: Picture) => void;
}

const STEP = 1.5;

/** One picture at its size: arrows go through them, + − 0 zoom, what it was made of stands beside it. */
export function GalleryViewer({ pictures, start, onClose, onDeleted, onCompare }: GalleryViewerProps) {
  const { t } = useTranslation();
  const [index, setIndex] = useState(start);
  /** Screen pixels a picture pixel; null: as large as fits. */
  const [zoom, setZoom] = useState<number | null>(null);
  const shown = useRef<(() => number) | null>(null);
  const [meta, setMeta] = useState(() => window.matchMedia("(min-width: 768px)").matches);
  const at = Math.min(index, pictures.length - 1);
  const picture = pictures[at];
  if (!picture) return null;
  const go = (by: number) => setIndex(Math.min(pictures.length - 1, Math.max(0, at + by)));
  const scale = (factor: number) => setZoom(bounded((shown.current?.() ?? 1) * factor));

  const keys = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") go(-1);
    else if (event.key === "ArrowRight") go(1);
    else if (event.key === "+" || event.key === "=") scale(STEP);
    else if (event.key === "-") scale(1 / STEP);
    else if (event.key === "0") setZoom(null);
    else if (event.key === "1") setZoom(1);
    else return;
    event.preventDefault();
  };
  const older = pictures[at + 1];
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className={styles.scrim} />
        <Dialog.Content
          className={styles.viewer}
          aria-describedby={undefined}
          onKeyDown={keys}
          // The viewer itself and not its first button: keys work at once, and no tooltip stands over the picture.
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            if (event.currentTarget instanceof HTMLElement) event.currentTarget.focus();
          }}
        >
          <header className={styles.bar}>
            <Dialog.Title className={styles.title}>{nameOf(picture.uri)}</Dialog.Title>
            <span className={styles.place} role="status">
              {t("gallery.viewer.place", { at: at + 1, of: pictures.length })}
            </span>
            <span className={styles.space} />
            <IconButton
              label={t("gallery.viewer.previous")}
              shortcut="ArrowLeft"
              icon={<ChevronLeft size={16} />}
              disabled={at === 0}
              onClick={() => go(-1)}
            />
            <IconButton
              label={t("gallery.viewer.next")}
              shortcut="ArrowRight"
              icon={<ChevronRight size={16} />}
              disabled={at === pictures.length - 1}
              onClick={() => go(1)}
            />
            <IconButton
              label={t("gallery.viewer.out")}
              shortcut="-"
              icon={<ZoomOut size={16} />}
              onClick={() => scale(1 / STEP)}
            />
            <IconButton
              label={t("gallery.viewer.in")}
              shortcut="+"
              icon={<ZoomIn size={16} />}
              onClick={() => scale(STEP)}
            />
            <IconButton
              label={t("gallery.viewer.fit")}
              shortcut="0"
              icon={<Maximize2 size={16} />}
              pressed={zoom === null}
              onClick={() => setZoom(null)}
            />
            <IconButton
              label={t("gallery.viewer.meta")}
              icon={<PanelRight size={16} />}
              pressed={meta}
              onClick={() => setMeta(!meta)}
            />
            <Dialog.Close asChild>
              <IconButton label={t("gallery.viewer.close")} icon={<X size={16} />} />
            </Dialog.Close>
          </header>
          <div className={styles.body}>
            <ZoomStage picture={picture} zoom={zoom} onZoom={setZoom} shown={shown} />
            {meta && (
              <GalleryMeta
                key={picture.uri}
                picture={picture}
                onLeave={onClose}
                onDeleted={onDeleted && (() => onDeleted(picture))}
                onCompare={onCompare && older && (() => onCompare(older, picture))}
              />
            )}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

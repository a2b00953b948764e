import { Files, Image, Package, Save } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import type { Artifact } from "../api/schema";
import { Button, IconButton, Popover } from "../ui";
import styles from "./Chart.module.css";
import type { Marker, PlacedMarkers } from "./chartData";

const ICONS: Record<Marker["kind"], typeof Image> = { image: Image, weights: Package, checkpoint: Save };

export interface ChartMarkersProps {
  placed: readonly PlacedMarkers[];
  onOpen: (pictures: readonly Artifact[]) => void;
}

/** Buttons at the axis, where pictures, weights and checkpoints were written. */
export function ChartMarkers({ placed, onOpen }: ChartMarkersProps) {
  const { t } = useTranslation();
  if (placed.length === 0) return null;
  return (
    <ul className={styles.markers} aria-label={t("curves.markers")}>
      {placed.map(({ x, markers }) => (
        <li key={`${markers[0]?.step} ${markers[0]?.kind}`} className={styles.marker} style={{ left: x }}>
          <Written markers={markers} onOpen={onOpen} />
        </li>
      ))}
    </ul>
  );
}

/** Pictures alone are shown at once; of anything else there is a list. */
function Written({ markers, onOpen }: { markers: readonly Marker[]; onOpen: ChartMarkersProps["onOpen"] }) {
  const { t } = useTranslation();
  const kinds = new Set(markers.map((marker) => marker.kind));
  const Icon = kinds.size === 1 ? ICONS[markers[0]?.kind ?? "weights"] : Files;
  const pictures = markers.flatMap((marker) => marker.pictures);
  const files = markers.filter((marker) => marker.kind !== "image");
  const step = markers[0]?.step ?? 0;
  if (files.length === 0) {
    const label = t("curves.pictures", { step, number: pictures.length });
    return <IconButton size="s" label={label} icon={<Icon size={13} />} onClick={() => onOpen(pictures)} />;
  }
  const names = files.flatMap((marker) => marker.uris.map((uri) => uri.slice(uri.lastIndexOf("/") + 1)));
  const label = t("curves.files", { step, names: names.join(", ") });
  return (
    <Popover
      label={label}
      side="top"
      trigger={<IconButton size="s" side="top" label={label} icon={<Icon size={13} />} />}
    >
      {pictures.length > 0 && (
        <Button size="s" icon={<Image size={13} />} onClick={() => onOpen(pictures)}>
          {t("curves.pictures", { step: pictures[0]?.step ?? step, number: pictures.length })}
        </Button>
      )}
      <ul className={styles.written}>
        {files.flatMap(({ kind, uris }) =>
          uris.map((uri) => (
            <li key={uri}>
              {kind === "weights" ? (
                <a href={api.fileUrl(uri, true)}>{uri}</a>
              ) : (
                <>
                  {t("curves.checkpoint")} <code>{uri}</code>
                </>
              )}
            </li>
          )),
        )}
      </ul>
    </Popover>
  );
}

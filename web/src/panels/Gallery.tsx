import { Columns2, Images, ListX } from "lucide-react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/history.json";
import { attempt } from "../shell/report";
import { useRuns } from "../state/run";
import { useStamps } from "../state/stamps";
import { Button, EmptyState, Segments, Spinner } from "../ui";
import { ComparePictures } from "./ComparePictures";
import styles from "./Gallery.module.css";
import { GalleryGrid } from "./GalleryGrid";
import { GalleryViewer } from "./GalleryViewer";
import { allPictures } from "./pictureFiles";
import { type Picture, picturesOf } from "./pictures";

addTexts(english);

type Source = "run" | "all";
const SIZES = { s: 96, m: 144, l: 224 };
type Size = keyof typeof SIZES;

/** Pictures of the shown run, or all that were ever written. */
export function Gallery() {
  const { t } = useTranslation();
  const active = useRuns((state) => state.active);
  const artifacts = useRuns((state) => state.artifacts);
  const [source, setSource] = useState<Source>("run");
  const [size, setSize] = useState<Size>("m");
  const [everything, setEverything] = useState<readonly Picture[] | null>(null);
  const [deleted, setDeleted] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [viewed, setViewed] = useState<number | null>(null);
  const [comparing, setComparing] = useState<readonly [Picture, Picture] | null>(null);

  // A picture of the run that was written since belongs into the whole list as well.
  const written = artifacts.length;
  useEffect(() => {
    if (source !== "all") return;
    const control = new AbortController();
    const timer = setTimeout(
      () => attempt(async () => setEverything(await allPictures(control.signal))),
      written > 0 ? 300 : 0,
    );
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [source, written]);

  const listed = useMemo(() => {
    const list = source === "run" ? picturesOf(artifacts).reverse() : (everything ?? []);
    return list.filter((picture) => !deleted.has(`${picture.uri} ${picture.t}`));
  }, [source, artifacts, everything, deleted]);
  const stamps = useStamps(
    useMemo(() => listed.map(({ uri }) => uri), [listed]),
    listed,
  );
  const pictures = useMemo(
    () => listed.map((picture) => ({ ...picture, stamp: stamps[picture.uri] ?? undefined })),
    [listed, stamps],
  );
  const choose = useCallback((uri: string) => {
    setChosen((before) => (before.includes(uri) ? before.filter((one) => one !== uri) : [...before, uri].slice(-2)));
  }, []);
  const [first, second] = chosen.flatMap((uri) => pictures.find((picture) => picture.uri === uri) ?? []);
  const gone = (picture: Picture) => setDeleted((before) => new Set(before).add(`${picture.uri} ${picture.t}`));

  return (
    <div className={styles.panel}>
      <div className={styles.bar}>
        <Segments<Source>
          label={t("gallery.source")}
          value={source}
          onChange={setSource}
          options={[
            { value: "run", label: t("gallery.run") },
            { value: "all", label: t("gallery.all") },
          ]}
        />
        <Segments<Size>
          label={t("gallery.size")}
          value={size}
          onChange={setSize}
          options={[
            { value: "s", label: t("gallery.s") },
            { value: "m", label: t("gallery.m") },
            { value: "l", label: t("gallery.l") },
          ]}
        />
        <span className={styles.count}>{t("gallery.count", { number: pictures.length })}</span>
        <span className={styles.space} />
        {first ? (
          <>
            <Button
              size="s"
              variant="primary"
              icon={<Columns2 size={13} />}
              disabled={!second}
              onClick={() => second && setComparing([first, second])}
            >
              {t("gallery.compare")}
            </Button>
            <Button size="s" variant="ghost" icon={<ListX size={13} />} onClick={() => setChosen([])}>
              {t("history.clear")}
            </Button>
          </>
        ) : (
          pictures.length > 1 && <span className={styles.count}>{t("gallery.hint")}</span>
        )}
      </div>
      {pictures.length > 0 ? (
        <GalleryGrid pictures={pictures} width={SIZES[size]} chosen={chosen} onChoose={choose} onOpen={setViewed} />
      ) : source === "all" && everything === null ? (
        <EmptyState icon={<Spinner size={18} />} title={t("dock.loading")} />
      ) : (
        <EmptyState
          icon={<Images size={18} />}
          title={t(source === "run" && active === null ? "dock.noRun" : "gallery.empty")}
        />
      )}
      {viewed !== null && pictures.length > 0 && (
        <GalleryViewer
          pictures={pictures}
          start={Math.min(viewed, pictures.length - 1)}
          onClose={() => setViewed(null)}
          onDeleted={gone}
          onCompare={(a, b) => setComparing([a, b])}
        />
      )}
      {comparing && <ComparePictures pictures={comparing} onClose={() => setComparing(null)} />}
    </div>
  );
}

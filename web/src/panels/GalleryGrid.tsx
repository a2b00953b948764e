import { useVirtualizer } from "@tanstack/react-virtual";
import { Check } from "lucide-react";
import { type KeyboardEvent, type MouseEvent, memo, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "../ui";
import { formatTime } from "./format";
import styles from "./Gallery.module.css";
import { gridMove, nameOf, thumbOf } from "./pictureFiles";
import type { Picture } from "./pictures";

interface GalleryGridProps {
  pictures: readonly Picture[];
  /** Of a thumbnail, in pixels. */
  width: number;
  chosen: readonly string[];
  onChoose: (uri: string) => void;
  onOpen: (index: number) => void;
}

/** From here on only the rows in sight are in the page. */
const MANY = 200;
const GAP = 8;
const CAPTION = 34;

/** Thumbnails: arrow keys move, Enter opens, the space bar chooses for a comparison. */
export function GalleryGrid({ pictures, width, chosen, onChoose, onOpen }: GalleryGridProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const [inner, setInner] = useState(0);
  const [current, setCurrent] = useState(0);
  const [moving, setMoving] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setInner(element.clientWidth - 2 * GAP));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const columns = Math.max(1, Math.floor((inner + GAP) / (width + GAP)));
  const count = Math.ceil(pictures.length / columns);
  const height = width + CAPTION + GAP;
  const virtual = pictures.length > MANY;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 2,
    enabled: virtual,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height are measured anew
  useEffect(() => rows.measure(), [height, rows]);
  const at = Math.min(current, pictures.length - 1);

  const keys = (event: KeyboardEvent) => {
    if (event.key === " ") {
      event.preventDefault();
      const picture = pictures[at];
      if (picture) onChoose(picture.uri);
      return;
    }
    const to = gridMove(event.key, at, pictures.length, columns);
    if (to === null) return;
    event.preventDefault();
    if (virtual) rows.scrollToIndex(Math.floor(to / columns));
    setCurrent(to);
    setMoving(true);
  };
  const row = (index: number) =>
    pictures.slice(index * columns, (index + 1) * columns).map((picture, offset) => {
      const place = index * columns + offset;
      return (
        <Tile
          key={picture.uri}
          picture={picture}
          place={place}
          width={width}
          chosen={chosen.includes(picture.uri)}
          current={place === at}
          focus={moving && place === at}
          onChoose={onChoose}
          onOpen={onOpen}
          onCurrent={setCurrent}
        />
      );
    });
  const style = { gridTemplateColumns: `repeat(${columns}, ${width}px)` };
  return (
    <div
      ref={box}
      role="listbox"
      aria-label={t("dock.gallery")}
      aria-multiselectable="true"
      tabIndex={-1}
      className={styles.grid}
      onKeyDown={keys}
    >
      {virtual ? (
        <div role="presentation" className={styles.all} style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => (
            <div
              key={item.key}
              role="presentation"
              className={cx(styles.row, styles.placed)}
              style={{ ...style, transform: `translateY(${item.start}px)` }}
            >
              {row(item.index)}
            </div>
          ))}
        </div>
      ) : (
        <div role="presentation" className={styles.row} style={style}>
          {Array.from({ length: count }, (_, index) => row(index))}
        </div>
      )}
    </div>
  );
}

interface TileProps {
  picture: Picture;
  place: number;
  width: number;
  chosen: boolean;
  current: boolean;
  focus: boolean;
  onChoose: (uri: string) => void;
  onOpen: (place: number) => void;
  onCurrent: (place: number) => void;
}

const Tile = memo(function Tile(props: TileProps) {
  const { picture, place, width, chosen, current, focus, onChoose, onOpen, onCurrent } = props;
  const { t, i18n } = useTranslation();
  const tile = useRef<HTMLDivElement>(null);
  const mark = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (focus) tile.current?.focus({ preventScroll: false });
  }, [focus]);
  const when =
    picture.step === undefined ? formatTime(picture.t, i18n.language) : t("gallery.step", { step: picture.step });
  const caption = picture.notFinite ? `${when} · ${t("gallery.notFinite")}` : when;
  const click = (event: MouseEvent) => {
    onCurrent(place);
    const onMark = event.target instanceof Node && mark.current?.contains(event.target);
    if (onMark || event.ctrlKey || event.metaKey || event.shiftKey) onChoose(picture.uri);
    else onOpen(place);
  };
  return (
    <div
      ref={tile}
      role="option"
      aria-selected={chosen}
      aria-label={[nameOf(picture.uri), caption, picture.node].filter(Boolean).join(", ")}
      tabIndex={current ? 0 : -1}
      className={cx(styles.tile, chosen && styles.chosen)}
      onClick={click}
      onFocus={() => onCurrent(place)}
      onKeyDown={(event) => event.key === "Enter" && onOpen(place)}
    >
      <img
        src={thumbOf(picture, width > 128 ? 256 : 128)}
        alt=""
        loading="lazy"
        decoding="async"
        style={{ width, height: width }}
      />
      {/* For the mouse; the keyboard has the space bar. */}
      <span ref={mark} className={styles.mark} title={t("gallery.choose")}>
        {chosen && <Check size={14} aria-hidden />}
      </span>
      <span className={styles.caption}>
        <span className={styles.name}>{nameOf(picture.uri)}</span>
        <span className={styles.more}>{caption}</span>
      </span>
    </div>
  );
});

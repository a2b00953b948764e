import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "../ui";
import styles from "./GalleryViewer.module.css";
import { fullOf, nameOf } from "./pictureFiles";
import type { Picture } from "./pictures";

interface ZoomStageProps {
  picture: Picture;
  /** Screen pixels a picture pixel; null: as large as fits. */
  zoom: number | null;
  onZoom: (zoom: number) => void;
  /** Set here: the zoom that is in effect now, for buttons and keys that go on from it. */
  shown: RefObject<(() => number) | null>;
}

/** Where the picture is drawn: one that fits leaves empty bands in its element. */
function drawn(image: HTMLImageElement): { left: number; top: number; scale: number } {
  const area = image.getBoundingClientRect();
  const { naturalWidth, naturalHeight } = image;
  const scale = Math.min(area.width / naturalWidth, area.height / naturalHeight);
  return {
    left: area.left + (area.width - naturalWidth * scale) / 2,
    top: area.top + (area.height - naturalHeight * scale) / 2,
    scale,
  };
}

export function bounded(zoom: number): number {
  return Math.min(16, Math.max(0.05, zoom));
}

/** A picture that the wheel zooms at the pointer and the hand moves. */
export function ZoomStage({ picture, zoom, onZoom, shown }: ZoomStageProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLElement>(null);
  const image = useRef<HTMLImageElement>(null);
  const [natural, setNatural] = useState<{ width: number; height: number } | null>(null);
  /** Address of a picture that could not be read. */
  const [broken, setBroken] = useState<string | null>(null);
  /** The point that stays where it is: share of the picture, and place in the box. */
  const anchor = useRef<{ share: [number, number]; at: [number, number] } | null>(null);
  const latest = useRef({ onZoom });
  latest.current = { onZoom };

  // Listeners of our own: React's are passive, and the page must not scroll or zoom with the wheel.
  useEffect(() => {
    const stage = box.current;
    if (!stage) return;
    let held: { x: number; y: number } | null = null;
    const wheel = (event: WheelEvent) => {
      const picture = image.current;
      if (!picture?.naturalWidth) return;
      event.preventDefault();
      const { left, top, scale } = drawn(picture);
      const frame = stage.getBoundingClientRect();
      anchor.current = {
        share: [
          (event.clientX - left) / (picture.naturalWidth * scale),
          (event.clientY - top) / (picture.naturalHeight * scale),
        ],
        at: [event.clientX - frame.left, event.clientY - frame.top],
      };
      latest.current.onZoom(bounded(scale * Math.exp(-event.deltaY * 0.0015)));
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      held = { x: event.clientX + stage.scrollLeft, y: event.clientY + stage.scrollTop };
      stage.setPointerCapture(event.pointerId);
    };
    const move = (event: PointerEvent) => {
      if (held) stage.scrollTo(held.x - event.clientX, held.y - event.clientY);
    };
    const up = () => {
      held = null;
    };
    shown.current = () => (image.current?.naturalWidth ? drawn(image.current).scale : 1);
    stage.addEventListener("wheel", wheel, { passive: false });
    stage.addEventListener("pointerdown", down);
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", up);
    stage.addEventListener("pointercancel", up);
    return () => {
      shown.current = null;
      stage.removeEventListener("wheel", wheel);
      stage.removeEventListener("pointerdown", down);
      stage.removeEventListener("pointermove", move);
      stage.removeEventListener("pointerup", up);
      stage.removeEventListener("pointercancel", up);
    };
  }, [shown]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new zoom moves the picture
  useLayoutEffect(() => {
    const [stage, picture, point] = [box.current, image.current, anchor.current];
    anchor.current = null;
    if (!stage || !picture || !point) return;
    stage.scrollTo(
      picture.offsetLeft + picture.offsetWidth * point.share[0] - point.at[0],
      picture.offsetTop + picture.offsetHeight * point.share[1] - point.at[1],
    );
  }, [zoom]);

  const size = zoom !== null && natural ? { width: natural.width * zoom, height: natural.height * zoom } : undefined;
  return (
    <section ref={box} className={styles.stage} aria-label={t("gallery.viewer.stage")}>
      {broken === picture.uri ? (
        <p role="alert">{t("gallery.viewer.broken")}</p>
      ) : (
        <img
          key={picture.uri}
          ref={image}
          className={cx(styles.image, zoom === null && styles.fit, zoom !== null && zoom >= 3 && styles.pixels)}
          style={size}
          src={fullOf(picture)}
          alt={nameOf(picture.uri)}
          draggable={false}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            setNatural({ width: naturalWidth, height: naturalHeight })
          }
          onError={() => setBroken(picture.uri)}
        />
      )}
    </section>
  );
}

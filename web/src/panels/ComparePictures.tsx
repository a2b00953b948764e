import { ArrowLeftRight, Pause, Play } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { addTexts } from "../i18n";
import english from "../i18n/en/compare.json";
import { Button, cx, Segments, Slider, Switch } from "../ui";
import { Dialog } from "../ui/Dialog";
import styles from "./ComparePictures.module.css";
import { fullOf, nameOf } from "./pictureFiles";
import type { Picture } from "./pictures";

addTexts(english);

type Mode = "slider" | "side" | "blink" | "difference";
const MODES: readonly Mode[] = ["slider", "side", "blink", "difference"];
const BLINK = 700;

interface ComparePicturesProps {
  pictures: readonly [Picture, Picture];
  onClose: () => void;
}

/** Two pictures: one over the other with a slider, side by side, in turn, or their difference. */
export function ComparePictures({ pictures, onClose }: ComparePicturesProps) {
  const { t } = useTranslation();
  const [[a, b], setPair] = useState(pictures);
  const [mode, setMode] = useState<Mode>("slider");
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={t("compare.pictures")}
      size="xl"
      footer={
        <Button icon={<ArrowLeftRight size={14} />} onClick={() => setPair([b, a])}>
          {t("compare.swap")}
        </Button>
      }
    >
      <div className={styles.panel}>
        <Segments<Mode>
          label={t("compare.mode")}
          value={mode}
          onChange={setMode}
          options={MODES.map((value) => ({ value, label: t(`compare.${value}`) }))}
        />
        {mode === "slider" && <Over a={a} b={b} />}
        {mode === "side" && (
          <div className={styles.pair}>
            <Shown picture={a} />
            <Shown picture={b} />
          </div>
        )}
        {mode === "blink" && <Blink a={a} b={b} />}
        {mode === "difference" && <Difference a={a} b={b} />}
      </div>
    </Dialog>
  );
}

interface Pair {
  a: Picture;
  b: Picture;
}

function captionOf(picture: Picture): string {
  return picture.step === undefined ? nameOf(picture.uri) : `${nameOf(picture.uri)} (${picture.step})`;
}

function Shown({ picture }: { picture: Picture }) {
  return (
    <figure className={styles.shown}>
      <img src={fullOf(picture)} alt={nameOf(picture.uri)} />
      <figcaption>{captionOf(picture)}</figcaption>
    </figure>
  );
}

/** A native range input lies over both, so that mouse, touch, keys and screen readers work by themselves. */
function Over({ a, b }: Pair) {
  const { t } = useTranslation();
  const [share, setShare] = useState(50);
  return (
    <>
      <div className={styles.stack}>
        <img src={fullOf(a)} alt={nameOf(a.uri)} />
        <img src={fullOf(b)} alt={nameOf(b.uri)} style={{ clipPath: `inset(0 0 0 ${share}%)` }} />
        <span className={styles.border} style={{ left: `${share}%` }} />
        <input
          type="range"
          className={styles.range}
          min={0}
          max={100}
          value={share}
          aria-label={t("compare.share")}
          aria-valuetext={t("compare.shareText", { share })}
          onChange={(event) => setShare(event.currentTarget.valueAsNumber)}
        />
      </div>
      <div className={styles.captions}>
        <span>{captionOf(a)}</span>
        <span>{captionOf(b)}</span>
      </div>
    </>
  );
}

function Blink({ a, b }: Pair) {
  const { t } = useTranslation();
  const [second, setSecond] = useState(false);
  const [going, setGoing] = useState(() => !window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  useEffect(() => {
    if (!going) return;
    const timer = setInterval(() => setSecond((before) => !before), BLINK);
    return () => clearInterval(timer);
  }, [going]);
  const now = second ? b : a;
  return (
    <>
      <div className={styles.stack}>
        <img src={fullOf(a)} alt={nameOf(a.uri)} aria-hidden={second} />
        <img className={cx(!second && styles.hidden)} src={fullOf(b)} alt={nameOf(b.uri)} aria-hidden={!second} />
      </div>
      <div className={styles.controls}>
        <Switch checked={going} onChange={setGoing} label={t("compare.automatic")} />
        <Button
          size="s"
          icon={going ? <Pause size={13} /> : <Play size={13} />}
          onClick={() => {
            setGoing(false);
            setSecond(!second);
          }}
        >
          {t("compare.other")}
        </Button>
        <span>{captionOf(now)}</span>
      </div>
    </>
  );
}

function Difference({ a, b }: Pair) {
  const { t } = useTranslation();
  const [gain, setGain] = useState(4);
  return (
    <>
      <div className={cx(styles.stack, styles.difference)} style={{ filter: `brightness(${gain})` }}>
        <img src={fullOf(a)} alt={nameOf(a.uri)} />
        <img className={styles.blend} src={fullOf(b)} alt={nameOf(b.uri)} />
      </div>
      <div className={styles.controls}>
        <span>{t("compare.gain", { gain })}</span>
        <Slider
          className={styles.gain}
          label={t("compare.gain", { gain })}
          value={gain}
          min={1}
          max={16}
          step={1}
          onChange={setGain}
        />
      </div>
    </>
  );
}

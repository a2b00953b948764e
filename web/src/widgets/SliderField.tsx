import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Slider } from "../ui";
import { SettingBox } from "./NumberField";
import { boundsOf, formatNumber, fromNotch, NOTCHES, sliderRange, stepped, toNotch } from "./number";
import type { WidgetProps } from "./types";
import { useWheelStep } from "./useWheelStep";
import styles from "./widgets.module.css";

const ARROWS: Record<string, number> = {
  ArrowRight: 1,
  ArrowUp: 1,
  ArrowLeft: -1,
  ArrowDown: -1,
  PageUp: 10,
  PageDown: -10,
};

/** A slider over what is usual, always with a box that takes everything that is legal. */
export function SliderField(props: WidgetProps) {
  const { value, schema, hint, onChange, onEnd, ...rest } = props;
  const { t } = useTranslation();
  const ref = useRef<HTMLDivElement>(null);
  const bounds = boundsOf(schema, hint);
  const shown = typeof value === "number" ? value : null;
  const typical = typeof schema.default === "number" ? schema.default : (shown ?? 0);
  const current = shown ?? typical;
  const fresh = sliderRange(bounds, typical, current);
  // the range must not change under a thumb that is being dragged
  const [held, setHeld] = useState<{ min: number; max: number } | null>(null);
  const range = held ?? fresh;

  const release = () => {
    setHeld(null);
    onEnd();
  };
  const step = (steps: number) => {
    if (!rest.disabled) onChange(stepped(current, steps, bounds));
  };
  useWheelStep(ref, step);

  return (
    <div className={styles.slider}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the slider inside is the control; one key press is one
          step of the setting, not one notch of the thumb, so it is taken before the slider sees it */}
      <div
        ref={ref}
        role="presentation"
        className={styles.track}
        onPointerDown={() => setHeld(fresh)}
        onBlur={release}
        onKeyDownCapture={(event) => {
          const steps = ARROWS[event.key];
          if (steps === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          event.stopPropagation();
          step(event.shiftKey ? steps * 10 : steps);
        }}
      >
        <Slider
          label={t("forms.slider", { name: rest.label })}
          value={toNotch(current, range, bounds.log)}
          min={0}
          max={NOTCHES}
          step={1}
          valueText={shown === null ? t("forms.notSet") : formatNumber(shown)}
          disabled={rest.disabled}
          onChange={(notch) => onChange(fromNotch(notch, range, bounds))}
          onCommit={release}
          className="nopan"
        />
      </div>
      <SettingBox {...props} />
    </div>
  );
}

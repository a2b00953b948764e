import type { CSSProperties } from "react";
import { cx } from "./cx";
import styles from "./Toggles.module.css";

export interface SliderProps {
  value: number;
  min: number;
  max: number;
  step: number;
  onChange: (value: number) => void;
  /** When the hand lets go, or after a key. */
  onCommit?: (value: number) => void;
  label: string;
  /** The value as it is spoken, where the number alone does not say it. */
  valueText?: string;
  disabled?: boolean;
  className?: string;
}

/** A number by dragging: the browser's own slider, drawn our way. Always beside a number box. */
export function Slider({
  value,
  min,
  max,
  step,
  onChange,
  onCommit,
  label,
  valueText,
  disabled,
  className,
}: SliderProps) {
  const shown = Math.min(max, Math.max(min, value));
  const share = max > min ? (shown - min) / (max - min) : 0;
  return (
    <input
      type="range"
      className={cx(styles.slider, "nodrag", className)}
      style={{ "--share": `${share * 100}%` } as CSSProperties}
      value={shown}
      min={min}
      max={max}
      step={step}
      disabled={disabled}
      aria-label={label}
      aria-valuetext={valueText}
      onChange={(event) => onChange(event.target.valueAsNumber)}
      onPointerUp={() => onCommit?.(shown)}
      onKeyUp={() => onCommit?.(shown)}
    />
  );
}

import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import { cx } from "./cx";
import styles from "./Splitter.module.css";

export interface SplitterProps {
  /** `vertical`: a line that stands, between left and right. */
  orientation: "vertical" | "horizontal";
  /** Size in pixels of the panel that it sizes. */
  value: number;
  min: number;
  max: number;
  onChange: (value: number) => void;
  /** Double click. */
  onReset?: () => void;
  label: string;
  /** The sized panel is right of it, or below it. */
  reverse?: boolean;
}

/** The line between two panels: by mouse, or by arrow keys. */
export function Splitter({ orientation, value, min, max, onChange, onReset, label, reverse }: SplitterProps) {
  const start = useRef<{ at: number; value: number } | null>(null);
  const along = (event: PointerEvent) => (orientation === "vertical" ? event.clientX : event.clientY);
  const set = (next: number) => onChange(Math.round(Math.min(max, Math.max(min, next))));
  const sign = reverse ? -1 : 1;

  const keys = (event: KeyboardEvent) => {
    const step = event.shiftKey ? 64 : 16;
    const grow = orientation === "vertical" ? "ArrowRight" : "ArrowDown";
    const shrink = orientation === "vertical" ? "ArrowLeft" : "ArrowUp";
    if (event.key === grow) set(value + sign * step);
    else if (event.key === shrink) set(value - sign * step);
    else if (event.key === "Home") set(min);
    else if (event.key === "End") set(max);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    // A separator that moves is a widget: WAI-ARIA's "window splitter".
    // biome-ignore lint/a11y/useSemanticElements: <hr> can not be focused or dragged
    <div
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={orientation}
      aria-valuenow={value}
      aria-valuemin={min}
      aria-valuemax={max}
      className={cx(styles.splitter, styles[orientation])}
      onKeyDown={keys}
      onDoubleClick={onReset}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { at: along(event), value };
      }}
      onPointerMove={(event) => start.current && set(start.current.value + sign * (along(event) - start.current.at))}
      onPointerUp={() => {
        start.current = null;
      }}
      onPointerCancel={() => {
        start.current = null;
      }}
    />
  );
}

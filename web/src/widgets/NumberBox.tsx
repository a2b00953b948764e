import { type PointerEvent, useRef } from "react";
import { useTranslation } from "react-i18next";
import { cx, TextField } from "../ui";
import { type Bounds, formatNumber, parseNumber, plainNumber, stepped } from "./number";
import { useRefusal } from "./refusal";
import { useDraft } from "./useDraft";
import { useWheelStep } from "./useWheelStep";
import styles from "./widgets.module.css";

interface NumberBoxProps {
  id?: string;
  /** Its name where no label points to it. */
  ariaLabel?: string;
  describedBy?: string;
  value: number | null;
  bounds: Bounds;
  nullable?: boolean;
  /** What it shows where nothing is written. */
  word?: string | undefined;
  invalid?: boolean;
  disabled?: boolean;
  compact?: boolean;
  onChange: (value: number | null) => void;
  onEnd: () => void;
}

const DRAG_START = 3;
const PIXELS_A_STEP = 4;

/**
 * A number to type, to step with the arrow keys (Shift: ten steps; Page up and down too), or to drag sideways.
 * A value outside the bounds is stored as written: the check says what is wrong with it, nothing is changed silently.
 */
export function NumberBox(props: NumberBoxProps) {
  const { t } = useTranslation();
  const { value, bounds, nullable = false, onChange, onEnd } = props;
  const ref = useRef<HTMLInputElement>(null);
  const drag = useRef<{ x: number; from: number; moved: boolean } | null>(null);
  const text = value === null ? "" : formatNumber(value);

  const commit = (written: string): boolean => {
    if (nullable && written.trim() === "") {
      onChange(null);
      return true;
    }
    const number = parseNumber(written, bounds.integer);
    if (number === null) return false;
    onChange(number);
    return true;
  };
  const canonical = (written: string): string => {
    const number = parseNumber(written, bounds.integer);
    return number === null ? written : formatNumber(number);
  };
  const { field, flush, settle, refused } = useDraft({ text, commit, end: onEnd, canonical });

  const step = (steps: number) => {
    if (props.disabled) return;
    flush();
    settle();
    const written = parseNumber(ref.current?.value ?? "", bounds.integer);
    const start = Number.isFinite(bounds.min) ? bounds.min : 0;
    onChange(stepped(written ?? value ?? start, steps, bounds));
  };
  useWheelStep(ref, step);

  const why = t(bounds.integer ? "forms.error.integer" : "forms.error.number");
  const written = refused === "" ? t("forms.error.empty") : refused;
  useRefusal(refused === null ? null : t("forms.error.kept", { written, why, kept: text || t("forms.notSet") }));

  const down = (event: PointerEvent<HTMLInputElement>) => {
    if (event.button !== 0 || props.disabled || document.activeElement === event.currentTarget || value === null)
      return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, from: value, moved: false };
  };
  const move = (event: PointerEvent<HTMLInputElement>) => {
    const now = drag.current;
    if (!now) return;
    const far = event.clientX - now.x;
    if (!now.moved && Math.abs(far) < DRAG_START) return;
    now.moved = true;
    const steps = Math.round(far / PIXELS_A_STEP) * (event.shiftKey ? 10 : 1);
    onChange(stepped(now.from, steps, bounds));
  };
  const up = (event: PointerEvent<HTMLInputElement>) => {
    const now = drag.current;
    drag.current = null;
    if (!now) return;
    if (now.moved) return onEnd();
    event.currentTarget.focus();
    event.currentTarget.select();
  };

  // as texts: React would write 1e-8, which is no number to ARIA
  const ranges: Record<string, string | undefined> = {
    "aria-valuenow": plainNumber(value),
    "aria-valuemin": plainNumber(bounds.min),
    "aria-valuemax": plainNumber(bounds.max),
  };

  return (
    <TextField
      {...field}
      ref={ref}
      id={props.id}
      size={props.compact ? "s" : "m"}
      className={cx(styles.number, "nodrag nopan")}
      inputMode={bounds.integer && bounds.min >= 0 ? "numeric" : "decimal"}
      role="spinbutton"
      aria-label={props.ariaLabel}
      aria-describedby={props.describedBy}
      invalid={props.invalid || refused !== null}
      {...ranges}
      aria-valuetext={value === null ? (props.word ?? t("forms.notSet")) : text}
      placeholder={nullable ? (props.word ?? t("forms.notSet")) : undefined}
      disabled={props.disabled}
      onKeyDown={(event) => {
        field.onKeyDown(event);
        if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
        const many = event.shiftKey ? 10 : 1;
        const steps = { ArrowUp: many, ArrowDown: -many, PageUp: 10, PageDown: -10 }[event.key];
        if (steps === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        step(steps);
      }}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => {
        drag.current = null;
        onEnd();
      }}
    />
  );
}

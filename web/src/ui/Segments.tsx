import { ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";
import styles from "./Toggles.module.css";

export interface SegmentsProps<T extends string> {
  value: T;
  onChange: (value: T) => void;
  options: readonly { value: T; label: ReactNode; name?: string }[];
  /** What is chosen here. */
  label: string;
}

/** One of a few, all in sight. `name` is what an icon alone is called. */
export function Segments<T extends string>({ value, onChange, options, label }: SegmentsProps<T>) {
  return (
    <ToggleGroup.Root
      type="single"
      className={styles.segments}
      value={value}
      onValueChange={(next) => next && onChange(next as T)}
      aria-label={label}
    >
      {options.map((option) => (
        <ToggleGroup.Item key={option.value} className={styles.segment} value={option.value} aria-label={option.name}>
          {option.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}

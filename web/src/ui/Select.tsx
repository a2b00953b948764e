import { Check, ChevronDown } from "lucide-react";
import { Select as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Field.module.css";

export interface SelectOption<T extends string> {
  value: T;
  label: ReactNode;
  description?: ReactNode;
  disabled?: boolean;
  /** Options with the same group stand together under its name. */
  group?: string;
}
export interface SelectProps<T extends string> {
  /** "" = nothing chosen. */
  value: T | "";
  onChange: (value: T) => void;
  options: readonly SelectOption<T>[];
  /** Its name, where no `<label htmlFor={id}>` gives one. */
  label?: string;
  id?: string;
  placeholder?: string;
  size?: "s" | "m";
  disabled?: boolean;
  invalid?: boolean;
  "aria-describedby"?: string;
  className?: string;
}

/** One of a list. */
export function Select<T extends string>({
  value,
  onChange,
  options,
  label,
  id,
  placeholder,
  size = "m",
  disabled,
  invalid,
  className,
  ...rest
}: SelectProps<T>) {
  const groups = [...new Set(options.map((option) => option.group ?? ""))];
  return (
    <Radix.Root value={value} onValueChange={(next) => onChange(next as T)} disabled={disabled}>
      <Radix.Trigger
        id={id}
        aria-label={label}
        aria-invalid={invalid || undefined}
        className={cx(styles.select, size === "s" && styles.s, className)}
        {...rest}
      >
        <Radix.Value placeholder={placeholder} />
        <Radix.Icon className={styles.chevron}>
          <ChevronDown size={14} />
        </Radix.Icon>
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={styles.list} position="popper" sideOffset={4} collisionPadding={8}>
          <Radix.Viewport className={styles.viewport}>
            {groups.map((group) => (
              <Radix.Group key={group}>
                {group && <Radix.Label className={styles.group}>{group}</Radix.Label>}
                {options
                  .filter((option) => (option.group ?? "") === group)
                  .map((option) => (
                    <Radix.Item
                      key={option.value}
                      className={styles.option}
                      value={option.value}
                      disabled={option.disabled}
                    >
                      <Radix.ItemIndicator className={styles.tick}>
                        <Check size={13} />
                      </Radix.ItemIndicator>
                      <span>
                        <Radix.ItemText>{option.label}</Radix.ItemText>
                        {option.description && <span className={styles.description}>{option.description}</span>}
                      </span>
                    </Radix.Item>
                  ))}
              </Radix.Group>
            ))}
          </Radix.Viewport>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Tabs.module.css";

export interface TabItem<T extends string> {
  value: T;
  label: ReactNode;
  icon?: ReactNode;
  /** A count or a Badge behind the text. */
  badge?: ReactNode;
}
export interface TabsProps<T extends string> {
  value: T;
  onChange: (value: T) => void;
  items: TabItem<T>[];
  /** Name of the row of tabs. */
  label: string;
  /** Buttons at the right end of the row. */
  actions?: ReactNode;
  /** `TabPanel`s. */
  children: ReactNode;
  className?: string;
}

/** A row of tabs over panels. */
export function Tabs<T extends string>({ value, onChange, items, label, actions, children, className }: TabsProps<T>) {
  return (
    // Passing by with the keyboard shows nothing else: Enter or the space bar does.
    <Radix.Root
      className={cx(styles.root, className)}
      value={value}
      onValueChange={(next) => onChange(next as T)}
      activationMode="manual"
    >
      <div className={styles.list}>
        <Radix.List className={styles.tabs} aria-label={label}>
          {items.map((item) => (
            <Radix.Trigger key={item.value} className={styles.tab} value={item.value}>
              {item.icon}
              {item.label}
              {item.badge}
            </Radix.Trigger>
          ))}
        </Radix.List>
        {actions}
      </div>
      {children}
    </Radix.Root>
  );
}

export function TabPanel({ value, children, className }: { value: string; children: ReactNode; className?: string }) {
  return (
    <Radix.Content className={cx(styles.panel, className)} value={value}>
      {children}
    </Radix.Content>
  );
}

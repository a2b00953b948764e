import { ChevronRight } from "lucide-react";
import { Collapsible } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Section.module.css";

export interface SectionProps {
  title: ReactNode;
  /** Behind the title: a count, a badge. */
  note?: ReactNode;
  /** Buttons at the right end of the heading. */
  actions?: ReactNode;
  defaultOpen?: boolean;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  /** No padding around the content. */
  flush?: boolean;
  children: ReactNode;
}

/** A part of a panel that folds. */
export function Section({
  title,
  note,
  actions,
  defaultOpen = true,
  open,
  onOpenChange,
  flush,
  children,
}: SectionProps) {
  return (
    <Collapsible.Root className={styles.section} defaultOpen={defaultOpen} open={open} onOpenChange={onOpenChange}>
      <div className={styles.head}>
        <Collapsible.Trigger className={styles.trigger}>
          <ChevronRight size={14} className={styles.arrow} />
          <span>{title}</span>
          {note}
        </Collapsible.Trigger>
        {actions}
      </div>
      <Collapsible.Content className={cx(styles.content, flush && styles.flush)}>{children}</Collapsible.Content>
    </Collapsible.Root>
  );
}

import { Popover as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Popover.module.css";

export interface PopoverProps {
  /** One button. */
  trigger: ReactNode;
  children: ReactNode;
  label: string;
  side?: "top" | "right" | "bottom" | "left";
  align?: "start" | "center" | "end";
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  /** No padding: the content draws to the edge. */
  flush?: boolean;
}

/** A small panel beside the button that opened it. */
export function Popover({
  trigger,
  children,
  label,
  side = "bottom",
  align = "start",
  open,
  onOpenChange,
  flush,
}: PopoverProps) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          className={cx(styles.content, flush && styles.flush)}
          aria-label={label}
          side={side}
          align={align}
          sideOffset={4}
          collisionPadding={8}
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

import { Check, ChevronRight, Circle } from "lucide-react";
import { DropdownMenu, Slot } from "radix-ui";
import { type MouseEvent, type ReactNode, useRef, useState } from "react";
import { cx } from "./cx";
import { Kbd } from "./Kbd";
import styles from "./Menu.module.css";

export interface MenuProps {
  /** One button. */
  trigger: ReactNode;
  children: ReactNode;
  side?: "top" | "right" | "bottom" | "left";
  align?: "start" | "center" | "end";
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
}

/** A menu that a button opens. */
export function Menu({ trigger, children, side = "bottom", align = "start", open, onOpenChange }: MenuProps) {
  return (
    <DropdownMenu.Root modal={false} open={open} onOpenChange={onOpenChange}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          className={styles.content}
          side={side}
          align={align}
          sideOffset={4}
          collisionPadding={8}
          loop
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export interface MenuAtProps {
  /** Where it opens, in screen pixels; null = closed. */
  at: { x: number; y: number } | null;
  onClose: () => void;
  label: string;
  children: ReactNode;
}

/** A menu at a point; gives the focus back to what had it. */
export function MenuAt({ at, onClose, label, children }: MenuAtProps) {
  const before = useRef<HTMLElement | null>(null);
  if (at && !before.current)
    before.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  return (
    <DropdownMenu.Root modal={false} open={at !== null} onOpenChange={(open) => !open && onClose()}>
      <DropdownMenu.Trigger asChild>
        <span className={styles.anchor} style={{ left: at?.x ?? 0, top: at?.y ?? 0 }} aria-hidden tabIndex={-1} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          className={styles.content}
          aria-label={label}
          align="start"
          sideOffset={2}
          collisionPadding={8}
          loop
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            // What the chosen item opened (a search box, a title field) keeps the focus that it took.
            if (document.activeElement === document.body) before.current?.focus({ preventScroll: true });
            before.current = null;
          }}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

/** A right-click (or Shift+F10) menu of one element. `menu` is made of the same items as `Menu`. */
export function ContextMenu({ menu, label, children }: { menu: ReactNode; label: string; children: ReactNode }) {
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  const open = (event: MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setAt({ x: event.clientX, y: event.clientY });
  };
  return (
    <>
      <Slot.Root onContextMenu={open}>{children}</Slot.Root>
      <MenuAt at={at} onClose={() => setAt(null)} label={label}>
        {menu}
      </MenuAt>
    </>
  );
}

export interface MenuItemProps {
  children: ReactNode;
  icon?: ReactNode;
  /** Keys, "Ctrl+D". */
  shortcut?: string;
  /** A second, quieter line. */
  hint?: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

export function MenuItem({ children, icon, shortcut, hint, danger, disabled, onSelect }: MenuItemProps) {
  return (
    <DropdownMenu.Item className={cx(styles.item, danger && styles.danger)} disabled={disabled} onSelect={onSelect}>
      <span className={styles.slot}>{icon}</span>
      <span className={styles.text}>
        {children}
        {hint && <span className={styles.hint}>{hint}</span>}
      </span>
      {shortcut && (
        <span className={styles.end}>
          <Kbd keys={shortcut} />
        </span>
      )}
    </DropdownMenu.Item>
  );
}

export function MenuCheckItem({
  checked,
  onChange,
  children,
  shortcut,
  disabled,
}: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
  shortcut?: string;
  disabled?: boolean;
}) {
  return (
    <DropdownMenu.CheckboxItem className={styles.item} checked={checked} onCheckedChange={onChange} disabled={disabled}>
      <span className={styles.slot}>
        <DropdownMenu.ItemIndicator>
          <Check size={14} />
        </DropdownMenu.ItemIndicator>
      </span>
      <span className={styles.text}>{children}</span>
      {shortcut && (
        <span className={styles.end}>
          <Kbd keys={shortcut} />
        </span>
      )}
    </DropdownMenu.CheckboxItem>
  );
}

/** One of several: `options` are value and text. */
export function MenuRadio<T extends string>({
  value,
  onChange,
  options,
}: {
  value: T;
  onChange: (value: T) => void;
  options: { value: T; label: ReactNode }[];
}) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
      {options.map((option) => (
        <DropdownMenu.RadioItem key={option.value} className={styles.item} value={option.value}>
          <span className={styles.slot}>
            <DropdownMenu.ItemIndicator>
              <Circle size={8} fill="currentColor" />
            </DropdownMenu.ItemIndicator>
          </span>
          <span className={styles.text}>{option.label}</span>
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function MenuSub({
  label,
  icon,
  children,
  disabled,
}: {
  label: ReactNode;
  icon?: ReactNode;
  children: ReactNode;
  disabled?: boolean;
}) {
  return (
    <DropdownMenu.Sub>
      <DropdownMenu.SubTrigger className={styles.item} disabled={disabled}>
        <span className={styles.slot}>{icon}</span>
        <span className={styles.text}>{label}</span>
        <ChevronRight size={14} />
      </DropdownMenu.SubTrigger>
      <DropdownMenu.Portal>
        <DropdownMenu.SubContent className={styles.content} sideOffset={4} collisionPadding={8} loop>
          {children}
        </DropdownMenu.SubContent>
      </DropdownMenu.Portal>
    </DropdownMenu.Sub>
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <DropdownMenu.Label className={styles.label}>{children}</DropdownMenu.Label>;
}

export function MenuSeparator() {
  return <DropdownMenu.Separator className={styles.separator} />;
}

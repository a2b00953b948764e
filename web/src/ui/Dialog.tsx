import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "./Button";
import { cx } from "./cx";
import styles from "./Dialog.module.css";

export interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  description?: ReactNode;
  children: ReactNode;
  /** Buttons, the one that does it last. */
  footer?: ReactNode;
  size?: "s" | "m" | "l" | "xl";
  /** A question that must be answered: a click beside it does not close it. */
  alert?: boolean;
}

const TABBABLE = 'input:not([hidden]), textarea, select, button, [tabindex="0"]';

/** The first control of the body, not the cross: its tooltip would open, and take the first Escape. */
function focusBody(event: Event): void {
  const content = event.currentTarget;
  if (!(content instanceof HTMLElement)) return;
  event.preventDefault();
  const parts = [...content.querySelectorAll<HTMLElement>("[data-dialog-part]")];
  const first = parts.flatMap((part) => [...part.querySelectorAll<HTMLElement>(`:is(${TABBABLE}):not(:disabled)`)])[0];
  (first ?? content).focus();
}

/** A modal dialog with a title, a scrolling body and a row of buttons. */
export function Dialog({ open, onOpenChange, title, description, children, footer, size = "m", alert }: DialogProps) {
  const { t } = useTranslation();
  const described = description ? {} : { "aria-describedby": undefined };
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className={styles.scrim} />
        <Radix.Content
          className={cx(styles.content, styles[size])}
          role={alert ? "alertdialog" : "dialog"}
          onOpenAutoFocus={focusBody}
          onPointerDownOutside={(event) => alert && event.preventDefault()}
          {...described}
        >
          <header className={styles.header}>
            <div className={styles.titles}>
              <Radix.Title className={styles.title}>{title}</Radix.Title>
              {description && <Radix.Description className={styles.description}>{description}</Radix.Description>}
            </div>
            <Radix.Close asChild>
              <IconButton label={t("canvas.ui.close")} icon={<X size={16} />} size="s" />
            </Radix.Close>
          </header>
          <div className={styles.body} data-dialog-part="body">
            {children}
          </div>
          {footer && (
            <footer className={styles.footer} data-dialog-part="footer">
              {footer}
            </footer>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

import { CircleAlert, CircleCheck, Info, TriangleAlert, X } from "lucide-react";
import { Toast as Radix } from "radix-ui";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "./Button";
import { cx } from "./cx";
import styles from "./Toast.module.css";

export interface ToastItem {
  id: string;
  tone: "info" | "ok" | "warn" | "error";
  title: string;
  body?: string;
  action?: { label: string; run: () => void };
  /** Milliseconds; errors stay until they are closed. */
  duration?: number;
}
const ICONS = { info: Info, ok: CircleCheck, warn: TriangleAlert, error: CircleAlert };

/** The stack of short messages, once a page. */
export function Toaster({ toasts, onDismiss }: { toasts: readonly ToastItem[]; onDismiss: (id: string) => void }) {
  const { t } = useTranslation();
  return (
    <Radix.Provider label={t("canvas.ui.notification")} swipeDirection="right">
      {toasts.map((toast) => {
        const Icon = ICONS[toast.tone];
        return (
          <Radix.Root
            key={toast.id}
            className={styles.toast}
            type={toast.tone === "error" ? "foreground" : "background"}
            duration={toast.duration ?? (toast.tone === "error" ? Number.POSITIVE_INFINITY : 6000)}
            onOpenChange={(open) => !open && onDismiss(toast.id)}
          >
            <Icon size={16} className={cx(styles.icon, styles[toast.tone])} />
            <div className={styles.text}>
              <Radix.Title className={styles.title}>{toast.title}</Radix.Title>
              {toast.body && <Radix.Description className={styles.body}>{toast.body}</Radix.Description>}
              {toast.action && (
                <div className={styles.actions}>
                  <Radix.Action asChild altText={toast.action.label}>
                    <Button size="s" onClick={toast.action.run}>
                      {toast.action.label}
                    </Button>
                  </Radix.Action>
                </div>
              )}
            </div>
            <Radix.Close asChild>
              <IconButton label={t("canvas.ui.close")} icon={<X size={14} />} size="s" />
            </Radix.Close>
          </Radix.Root>
        );
      })}
      <Radix.Viewport className={styles.viewport} />
    </Radix.Provider>
  );
}

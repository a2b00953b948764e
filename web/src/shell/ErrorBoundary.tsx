import { TriangleAlert } from "lucide-react";
import { Component, type ErrorInfo, type ReactNode } from "react";
import i18n from "../i18n";
import { Button } from "../ui";
import { download } from "./documents";
import styles from "./ErrorBoundary.module.css";
import { attempt } from "./report";

interface Props {
  /** What broke, for the heading: "Inspector". */
  part?: string;
  /** Instead of a message in its place: nothing is shown there until `key` changes. */
  onError?: (error: unknown) => void;
  children: ReactNode;
}

/**
 * Catches what a part of the page throws while drawing. The documents live in stores outside of it: drawing again
 * shows them as they were, and they can be downloaded from here.
 */
export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidCatch(error: unknown, info: ErrorInfo) {
    console.error(error, info.componentStack);
    this.props.onError?.(error);
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    const { part, onError } = this.props;
    if (onError) return null;
    return (
      <div className={styles.broken} role="alert">
        <TriangleAlert size={20} aria-hidden />
        <h2>{part ? i18n.t("shell.broken.part", { part }) : i18n.t("shell.broken.title")}</h2>
        <p>{i18n.t("shell.broken.text")}</p>
        <pre>{error.message}</pre>
        <div className={styles.actions}>
          <Button variant="primary" onClick={() => this.setState({ error: null })}>
            {i18n.t("shell.broken.again")}
          </Button>
          <Button onClick={() => attempt(download)}>{i18n.t("shell.download")}</Button>
          {!part && <Button onClick={() => window.location.reload()}>{i18n.t("shell.broken.reload")}</Button>}
        </div>
      </div>
    );
  }
}

import { lazy, Suspense } from "react";
import styles from "./Help.module.css";

const Markdown = lazy(() => import("./HelpMarkdown").then(({ HelpMarkdown }) => ({ default: HelpMarkdown })));

/** Signs that mean something in Markdown; a text without them needs no reader of it, which is a large part of the page. */
const MARKED = /[*_`#<>[\]|~\\]|^\s*(?:[-+]|\d+[.)])\s|^ {4}|https?:|&\w+;/m;

/** A longer text about a node or a graph, in Markdown. */
export function HelpPanel({ text }: { text: string }) {
  if (text.trim() === "") return null;
  if (!MARKED.test(text)) {
    return (
      <div className={styles.help}>
        {text.split(/\n\s*\n/).map((paragraph) => (
          <p key={paragraph}>{paragraph}</p>
        ))}
      </div>
    );
  }
  return (
    <div className={styles.help}>
      <Suspense fallback={<p className={styles.plain}>{text}</p>}>
        <Markdown text={text} />
      </Suspense>
    </div>
  );
}

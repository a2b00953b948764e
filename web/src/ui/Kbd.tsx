import styles from "./Kbd.module.css";

const apple = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);
const GLYPHS: Record<string, string> = apple
  ? {
      Ctrl: "⌘",
      Alt: "⌥",
      Shift: "⇧",
      Enter: "↵",
      Delete: "⌫",
      ArrowUp: "↑",
      ArrowDown: "↓",
      ArrowLeft: "←",
      ArrowRight: "→",
    }
  : { Delete: "Del", Escape: "Esc", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

/** "Ctrl+Shift+z" -> ["Ctrl", "Shift", "Z"] as the keys are called on this machine. */
export function keyParts(keys: string): string[] {
  const parts = keys.endsWith("++") ? [...keys.slice(0, -2).split("+"), "+"] : keys.split("+");
  return parts.filter(Boolean).map((part) => GLYPHS[part] ?? (part.length === 1 ? part.toUpperCase() : part));
}

/** A keyboard shortcut. */
export function Kbd({ keys }: { keys: string }) {
  return (
    <kbd className={styles.kbd}>
      {keyParts(keys).map((part) => (
        <span key={part} className={styles.key}>
          {part}
        </span>
      ))}
    </kbd>
  );
}

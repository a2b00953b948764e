import styles from "./Hint.module.css";
import { useCanvas } from "./store";

const EDGE = 340;

/** What the port under the pointer is, or why it does not take the wire. One for the whole canvas. */
export function Hint() {
  const hint = useCanvas((state) => state.hint);
  const refused = useCanvas((state) => state.connecting !== null);
  if (!hint) return null;
  const left = hint.x + EDGE > window.innerWidth;
  return (
    <div
      role={refused ? "status" : "tooltip"}
      className={`${styles.hint} ${refused ? styles.refused : ""} ${left ? styles.left : ""}`}
      style={{ left: hint.x, top: hint.y }}
    >
      {hint.text}
    </div>
  );
}

import {
  type ChangeEvent,
  type KeyboardEvent as ReactKeyboardEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { keepsText } from "../state/pending";

type Field = HTMLInputElement | HTMLTextAreaElement;

interface DraftOptions {
  /** The stored value as text. */
  text: string;
  /**
   * Takes a text; says whether it was understood. What is not understood is not stored: it stays in the field, marked,
   * until it is changed or given up, also when the field has lost the focus.
   */
  commit: (text: string) => boolean;
  /** The editing is over. */
  end: () => void;
  /** How the stored value would read after `commit(draft)`, if not like the draft itself ("0.50" -> "0.5"). */
  canonical?: (draft: string) => string;
  /** Enter writes a new line instead of committing. */
  multiline?: boolean;
  /** Only blur and Enter store: for names, of which half a word would be another name. */
  late?: boolean;
}

const DELAY = 300;

/**
 * A text field that keeps what is typed to itself and stores it on blur, on Enter, or after 300 ms of rest; Escape goes
 * back to what was there when it got the focus. Nothing is stored while an input method composes.
 */
export function useDraft(options: DraftOptions) {
  const { text } = options;
  const [draft, setDraft] = useState<string | null>(null);
  const [refused, setRefused] = useState<string | null>(null);
  const latest = useRef(options);
  const pending = useRef<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const before = useRef(text);
  const wrong = useRef<string | null>(null);
  useLayoutEffect(() => {
    latest.current = options;
  });

  const send = useCallback((value: string) => {
    clearTimeout(timer.current);
    pending.current = null;
    const taken = value === latest.current.text || latest.current.commit(value);
    wrong.current = taken ? null : value;
    setRefused(wrong.current);
  }, []);
  /** Show the stored value again, unless what is written was refused. */
  const settle = () => {
    if (wrong.current === null) setDraft(null);
  };
  const giveUp = () => {
    wrong.current = null;
    setRefused(null);
    setDraft(null);
  };
  const flush = useCallback(() => {
    if (pending.current !== null) send(pending.current);
  }, [send]);

  // undone, reset or changed elsewhere while the field has the focus: show that
  useEffect(() => {
    setDraft((now) => {
      if (now === null || (latest.current.canonical ?? String)(now) === text) return now;
      clearTimeout(timer.current);
      pending.current = null;
      wrong.current = null;
      setRefused(null);
      return null;
    });
  }, [text]);

  // a field can vanish with its panel without a blur, and the page with all of them
  useEffect(() => {
    const stop = keepsText(flush);
    return () => {
      stop();
      flush();
    };
  }, [flush]);

  const write = (value: string, composing = false) => {
    setDraft(value);
    pending.current = value;
    clearTimeout(timer.current);
    if (!composing && !latest.current.late) timer.current = setTimeout(() => send(value), DELAY);
  };

  const revert = () => {
    clearTimeout(timer.current);
    pending.current = null;
    if (latest.current.text !== before.current) latest.current.commit(before.current);
    giveUp();
  };

  return {
    /** The text that was not understood; null: there is none. */
    refused,
    write,
    flush,
    settle: giveUp,
    field: {
      value: draft ?? text,
      onFocus: () => {
        before.current = latest.current.text;
      },
      onChange: (event: ChangeEvent<Field>) => {
        write(event.currentTarget.value, (event.nativeEvent as InputEvent).isComposing === true);
      },
      onCompositionEnd: (event: { currentTarget: Field }) => write(event.currentTarget.value),
      onBlur: () => {
        flush();
        settle();
        latest.current.end();
      },
      onKeyDown: (event: ReactKeyboardEvent<Field>) => {
        if (event.nativeEvent.isComposing) return;
        const command = event.ctrlKey || event.metaKey;
        if (event.key === "Enter" && (!latest.current.multiline || command)) {
          flush();
          if (!command) {
            event.preventDefault();
            settle();
            before.current = latest.current.text;
          }
        } else if (event.key === "s" && command) {
          flush();
        } else if (event.key === "Escape" && (draft !== null || text !== before.current)) {
          event.preventDefault();
          event.stopPropagation();
          revert();
        }
      },
    },
  };
}

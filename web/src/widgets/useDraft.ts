import {
  type ChangeEvent,
  type KeyboardEvent as ReactKeyboardEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";

type Field = HTMLInputElement | HTMLTextAreaElement;

interface DraftOptions {
  /** The stored value as text. */
  text: string;
  /** Takes a text; says whether it was understood. What is not understood stays in the field, marked, and is not stored. */
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
  const [refused, setRefused] = useState(false);
  const latest = useRef(options);
  const pending = useRef<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const before = useRef(text);
  useLayoutEffect(() => {
    latest.current = options;
  });

  const send = useCallback((value: string) => {
    clearTimeout(timer.current);
    pending.current = null;
    if (value === latest.current.text) return setRefused(false);
    setRefused(!latest.current.commit(value));
  }, []);
  const flush = useCallback(() => {
    if (pending.current !== null) send(pending.current);
  }, [send]);

  // undone, reset or changed elsewhere while the field has the focus: show that
  useEffect(() => {
    setDraft((now) => {
      if (now === null || (latest.current.canonical ?? String)(now) === text) return now;
      clearTimeout(timer.current);
      pending.current = null;
      return null;
    });
  }, [text]);

  // a field can vanish with its panel without a blur
  useEffect(() => () => flush(), [flush]);

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
    setDraft(null);
    setRefused(false);
  };

  return {
    refused,
    write,
    flush,
    /** Show the stored value again. */
    settle: () => setDraft(null),
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
        setDraft(null);
        setRefused(false);
        latest.current.end();
      },
      onKeyDown: (event: ReactKeyboardEvent<Field>) => {
        if (event.nativeEvent.isComposing) return;
        const command = event.ctrlKey || event.metaKey;
        if (event.key === "Enter" && (!latest.current.multiline || command)) {
          flush();
          if (!command) {
            event.preventDefault();
            setDraft(null);
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

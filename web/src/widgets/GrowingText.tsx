import type { ClipboardEvent, KeyboardEvent, Ref } from "react";
import { cx, TextArea } from "../ui";
import { useRefusal } from "./refusal";
import { useDraft } from "./useDraft";
import styles from "./widgets.module.css";

interface GrowingTextProps {
  id?: string;
  ref?: Ref<HTMLTextAreaElement>;
  ariaLabel?: string;
  describedBy?: string;
  text: string;
  rows: number;
  mono?: boolean;
  invalid?: boolean;
  disabled?: boolean;
  compact?: boolean;
  spellCheck?: boolean;
  maxLength?: number;
  /** Enter commits instead of writing a new line. */
  oneLine?: boolean;
  placeholder?: string;
  canonical?: (text: string) => string;
  /** Why a text is refused. */
  why?: (text: string) => string;
  /** Says whether the text was understood. */
  onChange: (text: string) => boolean;
  onEnd: () => void;
  onKeyDown?: (event: KeyboardEvent<HTMLTextAreaElement>) => void;
  onPaste?: (event: ClipboardEvent<HTMLTextAreaElement>) => void;
}

/** A text area that is as high as what is written in it, up to a third of the window. */
export function GrowingText(props: GrowingTextProps) {
  const { field, refused } = useDraft({
    text: props.text,
    commit: props.onChange,
    end: props.onEnd,
    canonical: props.canonical,
    multiline: !props.oneLine,
  });
  useRefusal(refused === null ? null : (props.why?.(refused) ?? null));
  return (
    <TextArea
      {...field}
      ref={props.ref}
      id={props.id}
      size={props.compact ? "s" : "m"}
      mono={props.mono}
      className={cx(styles.area, "nodrag nopan")}
      rows={props.rows}
      spellCheck={props.spellCheck ?? false}
      placeholder={props.placeholder}
      aria-label={props.ariaLabel}
      aria-describedby={props.describedBy}
      invalid={props.invalid || refused !== null}
      disabled={props.disabled}
      maxLength={props.maxLength}
      onPaste={props.onPaste}
      onWheel={(event) => {
        // scrolling inside a long text must not zoom the canvas
        if (event.currentTarget.scrollHeight > event.currentTarget.clientHeight) event.stopPropagation();
      }}
      onKeyDown={(event) => {
        field.onKeyDown(event);
        if (!event.defaultPrevented) props.onKeyDown?.(event);
      }}
    />
  );
}

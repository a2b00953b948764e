import { AlignLeft, List, Plus } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../ui";
import { GrowingText } from "./GrowingText";
import { RowButtons } from "./RowButtons";
import { linesOf, moved, RowKeys, removed, replaced } from "./rows";
import type { WidgetProps } from "./types";
import styles from "./widgets.module.css";

interface TextRowsProps extends WidgetProps {
  items: readonly string[];
  /** Texts of several lines: Enter writes a new line, and the list is never one text. */
  multiline?: boolean;
  mono?: boolean;
  spellCheck?: boolean;
  /** What the button that adds a row says. */
  add: string;
  /** Behind the buttons below the list. */
  more?: ReactNode;
  /** Below one row. */
  below?: (item: string) => ReactNode;
}

/** Above this many rows the list opens as one text: that many fields would be slow and no easier to read. */
const MANY = 40;

/** A list of texts: one field a text, or all of them as one text with a line each. Pasted lines become rows. */
export function TextRows(props: TextRowsProps) {
  const { t } = useTranslation();
  const { items, onChange, onEnd, disabled } = props;
  const keys = useRef(new RowKeys());
  const wanted = useRef<number | null>(null);
  const lines = items.every((item) => !item.includes("\n"));
  const [asText, setAsText] = useState(() => lines && items.length > MANY);
  const least = props.schema.minItems ?? 0;
  const most = props.schema.maxItems ?? Number.POSITIVE_INFINITY;

  const set = (next: readonly string[], focus?: number) => {
    if (focus !== undefined) wanted.current = focus;
    onChange([...next]);
    onEnd();
  };
  const add = (after: number) => {
    if (items.length >= most) return;
    keys.current.inserted(after + 1);
    set([...items.slice(0, after + 1), "", ...items.slice(after + 1)], after + 1);
  };
  const remove = (index: number) => {
    keys.current.removed(index);
    set(removed(items, index), Math.min(index, items.length - 2));
  };
  const move = (index: number, by: 1 | -1) => {
    if (items[index + by] === undefined) return;
    keys.current.moved(index, by);
    set(moved(items, index, by), index + by);
  };
  const keyDown = (event: KeyboardEvent<HTMLTextAreaElement>, index: number) => {
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      event.stopPropagation();
      move(index, event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Backspace" && event.currentTarget.value === "" && items.length > least) {
      event.preventDefault();
      remove(index);
    }
  };

  if (asText && lines) {
    return (
      <div className={styles.stack}>
        <GrowingText
          id={props.id}
          describedBy={props.describedBy}
          text={items.join("\n")}
          rows={6}
          mono={props.mono}
          invalid={props.invalid}
          disabled={disabled}
          compact={props.compact}
          onEnd={onEnd}
          onChange={(text) => {
            onChange(text === "" && least === 0 ? [] : text.split("\n"));
            return true;
          }}
        />
        <div className={styles.under}>
          <span className={styles.faint}>{t("forms.list.lines", { count: items.length })}</span>
          <Button size="s" variant="ghost" icon={<List size={13} />} onClick={() => setAsText(false)}>
            {t("forms.list.asRows")}
          </Button>
        </div>
      </div>
    );
  }

  return (
    <fieldset className={styles.stack} aria-labelledby={props.labelledBy}>
      {keys.current.for(items.length).map((key, index) => (
        <div key={key} className={styles.stack}>
          <div className={styles.listRow}>
            <GrowingText
              id={index === 0 ? props.id : undefined}
              ref={(element) => {
                if (element && wanted.current === index) {
                  wanted.current = null;
                  element.focus();
                }
              }}
              ariaLabel={t("forms.list.item", { name: props.label, n: index + 1 })}
              describedBy={props.describedBy}
              text={items[index] ?? ""}
              rows={props.multiline && !props.compact ? 2 : 1}
              oneLine={!props.multiline}
              mono={props.mono}
              spellCheck={props.spellCheck}
              invalid={props.invalid}
              disabled={disabled}
              compact={props.compact}
              onEnd={onEnd}
              onChange={(text) => {
                onChange(replaced(items, index, text));
                return true;
              }}
              onKeyDown={(event) => keyDown(event, index)}
              onPaste={(event) => {
                const pasted = linesOf(event.clipboardData.getData("text/plain"));
                const whole = event.currentTarget.value.trim() === "" || props.multiline !== true;
                if (pasted.length < 2 || !whole || items.length + pasted.length - 1 > most) return;
                event.preventDefault();
                const kept = event.currentTarget.value.trim() === "" ? pasted : [event.currentTarget.value, ...pasted];
                keys.current.inserted(index + 1, kept.length - 1);
                set(replaced(items, index, ...kept), index + kept.length - 1);
              }}
            />
            <RowButtons
              index={index}
              count={items.length}
              removable={items.length > least}
              disabled={disabled}
              onMove={(by) => move(index, by)}
              onRemove={() => remove(index)}
            />
          </div>
          {props.below?.(items[index] ?? "")}
        </div>
      ))}
      <div className={styles.under}>
        <Button
          id={items.length === 0 ? props.id : undefined}
          size="s"
          variant="ghost"
          icon={<Plus size={13} />}
          disabled={disabled || items.length >= most}
          onClick={() => add(items.length - 1)}
        >
          {props.add}
        </Button>
        {lines && items.length > 2 && !props.multiline && (
          <Button size="s" variant="ghost" icon={<AlignLeft size={13} />} onClick={() => setAsText(true)}>
            {t("forms.list.asText")}
          </Button>
        )}
        {props.more}
      </div>
    </fieldset>
  );
}

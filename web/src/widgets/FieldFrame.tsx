import { CircleAlert, TriangleAlert } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import type { Problem } from "../api/schema";
import { cx, Tooltip } from "../ui";
import styles from "./FieldFrame.module.css";
import { Prose } from "./Prose";
import { Refusal } from "./refusal";

export interface FieldIds {
  id: string;
  labelledBy: string;
  describedBy: string | undefined;
}

interface FieldFrameProps {
  label: string;
  /** What it is called in the file, shown on hover. */
  code: string;
  help: string;
  /** Help under the field always, or while the field has the focus. */
  showHelp?: "always" | "focus";
  problems: readonly Problem[];
  /** Below the label: where its value comes from. */
  badges?: ReactNode;
  /** At the right end of the label. */
  actions?: ReactNode;
  /** Inside a node: label and control in one line, problems as a mark. */
  compact?: boolean;
  /** In a node: the control below the label. */
  below?: boolean;
  changed?: boolean;
  required?: boolean;
  children: (ids: FieldIds) => ReactNode;
}

/** What a setting is, and what it is called in the file. */
function Named({ code, help }: { code: string; help: string }) {
  return (
    <>
      <Prose text={help} />
      <span className={styles.code}>{code}</span>
    </>
  );
}

/** Around a widget: its label, what it is, and what the check says about it. */
export function FieldFrame(props: FieldFrameProps) {
  const { label, code, help, problems, compact } = props;
  const id = useId();
  const [first] = problems;
  const [refusal, setRefusal] = useState<string | null>(null);
  const ids: FieldIds = {
    id,
    labelledBy: `${id}-label`,
    describedBy:
      [help && `${id}-help`, problems.length > 0 && `${id}-problems`, refusal !== null && `${id}-refusal`]
        .filter(Boolean)
        .join(" ") || undefined,
  };
  const Mark = first?.severity === "warning" ? TriangleAlert : CircleAlert;
  return (
    <div
      className={cx(
        styles.frame,
        compact && styles.compact,
        compact && props.below && styles.below,
        props.changed && styles.changed,
      )}
      data-setting={code}
    >
      <div className={styles.head}>
        <Tooltip content={compact && help ? <Named code={code} help={help} /> : code} side="top">
          <label id={ids.labelledBy} htmlFor={id} className={styles.label}>
            {label}
            {props.required && <span aria-hidden="true">{" *"}</span>}
          </label>
        </Tooltip>
        {compact && first && (
          <Tooltip content={first.message}>
            <Mark size={13} className={styles[first.severity]} aria-hidden />
          </Tooltip>
        )}
        {props.actions && <span className={styles.actions}>{props.actions}</span>}
      </div>
      {props.badges}
      <div className={styles.control} data-control="">
        <Refusal.Provider value={setRefusal}>{props.children(ids)}</Refusal.Provider>
      </div>
      {refusal !== null && (
        <p id={`${id}-refusal`} className={styles.refusal} role="alert">
          <CircleAlert size={13} aria-hidden />
          <span>{refusal}</span>
        </p>
      )}
      {problems.length > 0 && (
        <ul id={`${id}-problems`} className={cx(styles.problems, compact && styles.hidden)}>
          {problems.map((problem) => {
            const Icon = problem.severity === "warning" ? TriangleAlert : CircleAlert;
            return (
              <li key={`${problem.code}${problem.message}`} className={styles[problem.severity]}>
                <Icon size={13} aria-hidden />
                <span>
                  {problem.message}
                  {problem.hint && <span className={styles.hint}> {problem.hint}</span>}
                </span>
              </li>
            );
          })}
        </ul>
      )}
      {help && (
        <p
          id={`${id}-help`}
          className={cx(styles.help, compact && styles.hidden, props.showHelp === "always" && styles.always)}
        >
          <Prose text={help} />
        </p>
      )}
    </div>
  );
}

import { TextField as Line } from "../ui";
import { GrowingText } from "./GrowingText";
import { useDraft } from "./useDraft";

interface DraftTextProps {
  id?: string;
  /** Its name where no label points to it. */
  label?: string;
  describedBy?: string;
  text: string;
  /** Says whether the text was taken; one that was not stays in the field, marked. */
  commit: (text: string) => boolean;
  canonical?: (text: string) => string;
  end?: () => void;
  placeholder?: string;
  size?: "s" | "m";
  mono?: boolean;
  multiline?: boolean;
  disabled?: boolean;
  maxLength?: number;
  late?: boolean;
}

/** A text that is stored on blur, Enter or after a rest, for everything that is not the setting of a node. */
export function DraftText(props: DraftTextProps) {
  return props.multiline ? <Area {...props} /> : <OneLine {...props} />;
}

const nothing = () => {};

function Area({ id, label, describedBy, text, commit, canonical, end = nothing, ...rest }: DraftTextProps) {
  return (
    <GrowingText
      id={id}
      ariaLabel={label}
      describedBy={describedBy}
      text={text}
      rows={2}
      spellCheck
      placeholder={rest.placeholder}
      disabled={rest.disabled}
      canonical={canonical}
      onChange={commit}
      onEnd={end}
    />
  );
}

function OneLine({ id, label, describedBy, text, commit, canonical, end = nothing, ...rest }: DraftTextProps) {
  const { field, refused } = useDraft({ text, commit, canonical, end, late: rest.late });
  return (
    <Line
      {...field}
      id={id}
      size={rest.size}
      mono={rest.mono}
      className="nodrag nopan"
      aria-label={label}
      aria-describedby={describedBy}
      placeholder={rest.placeholder}
      disabled={rest.disabled}
      maxLength={rest.maxLength}
      invalid={refused !== null}
    />
  );
}

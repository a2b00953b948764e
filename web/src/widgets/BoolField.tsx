import { Switch } from "../ui";
import type { WidgetProps } from "./types";

/** On or off. */
export function BoolField({ id, value, describedBy, disabled, onChange, onEnd }: WidgetProps) {
  return (
    <span className="nodrag">
      <Switch
        id={id}
        checked={value === true}
        aria-describedby={describedBy}
        disabled={disabled}
        onChange={(on) => {
          onChange(on);
          onEnd();
        }}
      />
    </span>
  );
}

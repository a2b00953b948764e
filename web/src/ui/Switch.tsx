import { Switch as RadixSwitch } from "radix-ui";
import { type ReactNode, useId } from "react";
import { Labelled } from "./Labelled";
import styles from "./Toggles.module.css";

export interface SwitchProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  /** Text beside it. Without it give `aria-label`, or `id` with a label elsewhere. */
  label?: ReactNode;
  id?: string;
  disabled?: boolean;
  "aria-label"?: string;
  "aria-describedby"?: string;
}

/** On or off, at once. */
export function Switch({ checked, onChange, label, id, ...rest }: SwitchProps) {
  const own = useId();
  return (
    <Labelled id={id ?? own} label={label}>
      <RadixSwitch.Root id={id ?? own} className={styles.switch} checked={checked} onCheckedChange={onChange} {...rest}>
        <RadixSwitch.Thumb className={styles.thumb} />
      </RadixSwitch.Root>
    </Labelled>
  );
}

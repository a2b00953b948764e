import { Check, Minus } from "lucide-react";
import { Checkbox as RadixCheckbox } from "radix-ui";
import { useId } from "react";
import { Labelled } from "./Labelled";
import type { SwitchProps } from "./Switch";
import styles from "./Toggles.module.css";

export interface CheckboxProps extends Omit<SwitchProps, "checked"> {
  checked: boolean | "indeterminate";
}

/** One of a set, or a choice that counts when a form is sent. */
export function Checkbox({ checked, onChange, label, id, ...rest }: CheckboxProps) {
  const own = useId();
  return (
    <Labelled id={id ?? own} label={label}>
      <RadixCheckbox.Root
        id={id ?? own}
        className={styles.check}
        checked={checked}
        onCheckedChange={(next) => onChange(next === true)}
        {...rest}
      >
        <RadixCheckbox.Indicator>
          {checked === "indeterminate" ? <Minus size={12} /> : <Check size={12} />}
        </RadixCheckbox.Indicator>
      </RadixCheckbox.Root>
    </Labelled>
  );
}

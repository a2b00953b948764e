import { Check, Minus } from "lucide-react";
import { Checkbox as RadixCheckbox } from "radix-ui";
import { useId } from "react";
import type { SwitchProps } from "./Switch";
import styles from "./Toggles.module.css";

export interface CheckboxProps extends Omit<SwitchProps, "checked"> {
  checked: boolean | "indeterminate";
}

/** One of a set, or a choice that counts when a form is sent. */
export function Checkbox({ checked, onChange, label, id, ...rest }: CheckboxProps) {
  const own = useId();
  const control = (
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
  );
  if (!label) return control;
  return (
    <span className={styles.row}>
      {control}
      <label htmlFor={id ?? own}>{label}</label>
    </span>
  );
}

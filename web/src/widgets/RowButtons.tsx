import { ArrowDown, ArrowUp, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { IconButton } from "../ui";
import styles from "./widgets.module.css";

interface RowButtonsProps {
  index: number;
  count: number;
  removable: boolean;
  disabled: boolean;
  onMove: (by: 1 | -1) => void;
  onRemove: () => void;
}

/** Up, down and remove beside one row of a list. */
export function RowButtons({ index, count, removable, disabled, onMove, onRemove }: RowButtonsProps) {
  const { t } = useTranslation();
  const n = index + 1;
  return (
    <span className={styles.rowButtons}>
      {count > 1 && (
        <>
          <IconButton
            size="s"
            label={t("forms.list.up", { n })}
            icon={<ArrowUp size={13} />}
            disabled={disabled || index === 0}
            onClick={() => onMove(-1)}
          />
          <IconButton
            size="s"
            label={t("forms.list.down", { n })}
            icon={<ArrowDown size={13} />}
            disabled={disabled || index === count - 1}
            onClick={() => onMove(1)}
          />
        </>
      )}
      <IconButton
        size="s"
        label={t("forms.list.remove", { n })}
        icon={<X size={13} />}
        disabled={disabled || !removable}
        onClick={onRemove}
      />
    </span>
  );
}

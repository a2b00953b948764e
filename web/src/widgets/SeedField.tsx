import { Dices, ListOrdered, Lock } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useTabs } from "../state/tabs";
import { IconButton, Menu, MenuRadio } from "../ui";
import { SettingBox } from "./NumberField";
import { randomSeed, type SeedPolicy, seedAddress, useSeeds } from "./seeds";
import type { WidgetProps } from "./types";
import styles from "./widgets.module.css";

const ICONS: Record<SeedPolicy, ReactNode> = {
  keep: <Lock size={14} />,
  new: <Dices size={14} />,
  increment: <ListOrdered size={14} />,
};

/** A seed: a number, a die that rolls another one now, and what happens to it before each run. */
export function SeedField(props: WidgetProps) {
  const { place, onChange, onEnd, ...rest } = props;
  const { t } = useTranslation();
  const tab = useTabs((state) => state.active);
  const address = place ? seedAddress(place.path, place.node, place.setting) : null;
  const policy = useSeeds((state) => (address ? state.policies[tab]?.[address] : undefined)) ?? "keep";
  const setPolicy = useSeeds((state) => state.setPolicy);
  return (
    <div className={styles.row}>
      <SettingBox {...props} />
      <IconButton
        className="nodrag"
        size={rest.compact ? "s" : "m"}
        label={t("forms.seed.roll")}
        icon={<Dices size={15} />}
        disabled={rest.disabled}
        onClick={() => {
          onChange(randomSeed());
          onEnd();
        }}
      />
      {address && !rest.compact && (
        <Menu
          align="end"
          trigger={
            <IconButton
              label={t("forms.seed.policy", { policy: t(`forms.seed.${policy}`) })}
              icon={ICONS[policy]}
              disabled={rest.disabled}
            />
          }
        >
          <MenuRadio
            value={policy}
            onChange={(next) => setPolicy(tab, address, next)}
            options={(["keep", "new", "increment"] as const).map((one) => ({
              value: one,
              label: t(`forms.seed.${one}`),
            }))}
          />
        </Menu>
      )}
    </div>
  );
}

import { memo } from "react";
import { type BodyPath, flatId } from "../graph/body";
import type { PortView, SettingView } from "../graph/ports";
import { cx } from "../ui";
import { SettingField } from "../widgets/registry";
import { isList, ListSetting } from "./ListSetting";
import { Port } from "./Port";
import styles from "./SettingRow.module.css";
import { usePortPart } from "./store";

/** A setting seen as the end of a wire. */
export function settingPort(node: string, setting: SettingView): PortView {
  const address = `${node}.${setting.name}`;
  return {
    name: setting.name,
    side: "setting",
    type: setting.type,
    optional: !setting.required,
    many: false,
    help: setting.schema.description ?? "",
    address,
    wires: setting.wired === null ? [] : [{ target: address, source: setting.wired }],
    promoted: null,
    ...(setting.stray && { stray: true }),
  };
}

/** A setting inside of a node: its field, and the port of a wire that feeds it. */
export const SettingRow = memo(function SettingRow({
  path,
  node,
  setting,
}: {
  path: BodyPath;
  node: string;
  setting: SettingView;
}) {
  const part = usePortPart(`${node}.${setting.name}`);
  const quiet = setting.wired === null && part !== "legal" && part !== "held";
  return (
    <div className={styles.row}>
      <Port port={settingPort(node, setting)} className={cx(quiet && styles.quiet)} />
      <div className={cx(styles.field, "nodrag")}>
        {isList(setting.value) && setting.wired === null ? (
          <ListSetting node={node} flat={flatId(path, node)} setting={setting} />
        ) : (
          <SettingField path={path} node={node} setting={setting} compact />
        )}
      </div>
    </div>
  );
});

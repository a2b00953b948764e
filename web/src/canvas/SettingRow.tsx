import { memo } from "react";
import { type BodyPath, flatId } from "../graph/body";
import { type PortView, type SettingView, settingPort } from "../graph/ports";
import { cx } from "../ui";
import { SettingField } from "../widgets/registry";
import { isList, ListSetting } from "./ListSetting";
import { Port } from "./Port";
import styles from "./SettingRow.module.css";
import { usePortPart } from "./store";

/** The port of a setting that is drawn with its field: what it is promoted to stands at the field. */
export function fieldPort(node: string, setting: SettingView): PortView {
  return { ...settingPort(node, setting), promoted: null };
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
      <Port port={fieldPort(node, setting)} className={cx(quiet && styles.quiet)} />
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

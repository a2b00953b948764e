import { Cable, Pin, PinOff, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import { type BodyPath, flatId, ownerOf, splitSource } from "../graph/body";
import { demote, promote } from "../graph/edit/interface";
import { resetSetting, setSetting } from "../graph/edit/settings";
import type { SettingView } from "../graph/ports";
import { useSettingProblems } from "../state/check";
import { useSession } from "../state/session";
import { useSpecs } from "../state/specs";
import { currentDoc, useDoc } from "../state/tabs";
import { IconButton } from "../ui";
import { FieldFrame } from "./FieldFrame";
import styles from "./FieldFrame.module.css";
import { isLong, labelOf } from "./label";
import { ValueWidget } from "./ValueWidget";

interface SettingFieldProps {
  path: BodyPath;
  node: string;
  setting: SettingView;
  /** In a node: one line, no buttons. */
  compact?: boolean;
  /** The name to show in place of the setting's own: that of the interface. */
  name?: string;
  showHelp?: "always" | "focus";
  /** No promoting and no jumps: for those who do not want a graph. */
  plain?: boolean;
}

/** One setting of a node: its widget, where its value comes from, and what the check says about it. */
export function SettingField({
  path,
  node,
  setting,
  compact = false,
  name,
  showHelp,
  plain = false,
}: SettingFieldProps) {
  const { t } = useTranslation();
  const readOnly = useDoc((doc) => doc.readOnly);
  const flat = flatId(path, node);
  const problems = useSettingProblems(flat, setting.name);
  const named = useSpecs(({ index }) => index?.labels.get(name ?? setting.name));
  const label = (name === undefined || name === setting.name ? setting.label : named) ?? labelOf(name ?? setting.name);
  const group = `setting:${flat}.${setting.name}`;
  const wired = setting.wired !== null;

  const set = (value: Json) => {
    currentDoc().edit("forms.edit.setting", (graph) => setSetting(graph, path, node, setting.name, value), group);
  };
  const end = () => currentDoc().endGroup();
  const reset = () => {
    currentDoc().edit("forms.edit.reset", (graph) => resetSetting(graph, path, node, setting.name));
  };
  const togglePromoted = () => {
    if (setting.promoted === null) {
      currentDoc().edit("forms.edit.promote", (graph) => promote(graph, path, node, setting.name));
    } else {
      currentDoc().edit("forms.edit.demote", (graph) => demote(graph, path, node, setting.name));
    }
  };

  const actions = !compact && !readOnly && (
    <>
      {!setting.isDefault && !setting.required && (
        <IconButton size="s" label={t("forms.reset", { label })} icon={<RotateCcw size={13} />} onClick={reset} />
      )}
      {!plain && !setting.stray && (
        <IconButton
          size="s"
          label={
            setting.promoted === null ? t("forms.promote", { label }) : t("forms.demote", { name: setting.promoted })
          }
          icon={setting.promoted === null ? <Pin size={13} /> : <PinOff size={13} />}
          pressed={setting.promoted !== null}
          onClick={togglePromoted}
        />
      )}
    </>
  );

  return (
    <FieldFrame
      label={label}
      code={`${node}.${setting.name}`}
      help={setting.schema.description ?? ""}
      showHelp={showHelp}
      problems={problems}
      compact={compact}
      below={!wired && !setting.schema.enum && isLong(setting.value)}
      changed={!setting.isDefault && !plain}
      required={setting.required && setting.value === null}
      actions={actions || undefined}
      badges={
        wired && setting.wired !== null ? <WireBadge path={path} source={setting.wired} plain={plain} /> : undefined
      }
    >
      {(ids) => (
        <ValueWidget
          ids={ids}
          label={label}
          value={setting.value}
          schema={setting.schema}
          hint={setting.widget}
          place={{ path, node, setting: setting.name }}
          invalid={problems.some((problem) => problem.severity === "error")}
          disabled={readOnly || wired}
          compact={compact}
          onChange={set}
          onEnd={end}
        />
      )}
    </FieldFrame>
  );
}

/** "from node.port": the wire beats what is written here. A click goes to where it comes from. */
function WireBadge({ path, source, plain }: { path: BodyPath; source: string; plain: boolean }) {
  const { t } = useTranslation();
  const focusNode = useSession((state) => state.focusNode);
  const text = t("forms.wired", { source });
  return (
    <span className={styles.badges}>
      {plain ? (
        <span className={styles.source}>
          <Cable size={12} aria-hidden /> {text}
        </span>
      ) : (
        <button
          type="button"
          className={`${styles.source} nodrag`}
          aria-label={t("forms.wiredJump", { source })}
          onClick={() => focusNode(flatId(path, ownerOf(source)), splitSource(source).port)}
        >
          <Cable size={12} aria-hidden /> {text}
        </button>
      )}
    </span>
  );
}

import { useTranslation } from "react-i18next";
import type { Json, NodeEntry } from "../api/schema";
import type { BodyPath } from "../graph/body";
import { setMode } from "../graph/edit/nodes";
import { setSetting } from "../graph/edit/settings";
import { sameJson } from "../graph/normal";
import { type NodeShape, type SettingView, type SpecIndex, shapeOf } from "../graph/ports";
import { addTexts } from "../i18n";
import english from "../i18n/en/inspector.json";
import { useCheck } from "../state/check";
import { useSession } from "../state/session";
import { currentDoc, useBody, useDoc, useGraph } from "../state/tabs";
import { Badge, Field, Section, Segments } from "../ui";
import { FieldFrame } from "../widgets/FieldFrame";
import { labelOf } from "../widgets/label";
import { ValueWidget } from "../widgets/ValueWidget";
import styles from "./Inspector.module.css";

addTexts(english);

export interface Common {
  setting: SettingView;
  /** Every node has the same value. */
  same: boolean;
}

/** The settings that all of these nodes have, of the same type and not fed by a wire. */
export function commonSettings(shapes: readonly NodeShape[]): Common[] {
  const [first, ...others] = shapes;
  return (first?.settings ?? []).flatMap((setting) => {
    const all = [setting];
    for (const shape of others) {
      const twin = shape.settings.find((one) => one.name === setting.name && one.type === setting.type);
      if (!twin) return [];
      all.push(twin);
    }
    if (all.some((one) => one.wired !== null)) return [];
    return [{ setting, same: all.every((one) => sameJson(one.value, setting.value)) }];
  });
}

type Mode = "on" | NonNullable<NodeEntry["mode"]>;

/** Several nodes: what they have in common is edited together, in one step. */
export function InspectorMany({ path, nodes, specs }: { path: BodyPath; nodes: readonly string[]; specs: SpecIndex }) {
  const { t } = useTranslation();
  const graph = useGraph();
  const body = useBody();
  const check = useCheck((state) => state.check);
  const readOnly = useDoc((doc) => doc.readOnly);
  const setSelection = useSession((state) => state.setSelection);
  const shapes = nodes.map((node) => shapeOf(graph, path, node, specs, check));
  const common = commonSettings(shapes);
  const modes = new Set<Mode>(nodes.map((node) => body.nodes[node]?.mode ?? "on"));
  const [mode] = modes;
  const shown = modes.size === 1 && mode ? mode : ("" as Mode);
  const region = shapes.some((shape) => shape.kind === "region");
  const options: Mode[] = region ? ["on", "mute"] : ["on", "mute", "bypass"];

  const set = (name: string, value: Json) => {
    const change = (before: typeof graph) =>
      nodes.reduce((now, node) => setSetting(now, path, node, name, value), before);
    currentDoc().edit("forms.edit.setting", change, `settings:${nodes.join(",")}.${name}`);
  };

  return (
    <div className={styles.inspector}>
      <header className={styles.head}>
        <h2 className={styles.title}>{t("inspector.many.title", { count: nodes.length })}</h2>
        <ul className={styles.chips}>
          {nodes.map((node) => (
            <li key={node}>
              <button type="button" className={styles.chip} onClick={() => setSelection([node])}>
                {node}
              </button>
            </li>
          ))}
        </ul>
      </header>
      <Section title={t("inspector.settings")}>
        <div className={styles.fields}>
          <Field label={t("inspector.mode")}>
            <Segments
              label={t("inspector.mode")}
              value={shown}
              onChange={(next: Mode) =>
                currentDoc().edit("forms.edit.mode", (before) =>
                  setMode(before, path, nodes, next === "on" ? null : next, specs),
                )
              }
              options={options.map((one) => ({ value: one, label: t(`inspector.mode.${one}`) }))}
            />
          </Field>
          {common.map(({ setting, same }) => (
            <FieldFrame
              key={setting.name}
              label={setting.label ?? labelOf(setting.name)}
              code={setting.name}
              help={setting.schema.description ?? ""}
              problems={[]}
              actions={same ? undefined : <Badge>{t("inspector.many.mixed")}</Badge>}
            >
              {(ids) => (
                <ValueWidget
                  ids={ids}
                  label={setting.label ?? labelOf(setting.name)}
                  value={setting.value}
                  schema={setting.schema}
                  hint={setting.widget}
                  place={null}
                  disabled={readOnly}
                  onChange={(value) => set(setting.name, value)}
                  onEnd={() => currentDoc().endGroup()}
                />
              )}
            </FieldFrame>
          ))}
          {common.length === 0 && <p className={styles.faint}>{t("inspector.many.nothing")}</p>}
        </div>
      </Section>
    </div>
  );
}

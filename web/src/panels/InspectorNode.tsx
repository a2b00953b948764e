import { CircleHelp, CornerDownRight, SquareArrowOutUpRight } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { NodeEntry } from "../api/schema";
import { type BodyPath, flatId, graphName } from "../graph/body";
import { renameNode, setMode, setStream, setTitle } from "../graph/edit/nodes";
import { EditError } from "../graph/error";
import { type NodeShape, type SettingView, type SpecIndex, shapeOf } from "../graph/ports";
import { draws } from "../graph/specs";
import { addTexts } from "../i18n";
import english from "../i18n/en/inspector.json";
import { isAtField, useCheck, useProblems } from "../state/check";
import { useSession } from "../state/session";
import { currentDoc, useBody, useDoc, useGraph, useTabs } from "../state/tabs";
import { Badge, Button, categoryColour, categoryOf, Field, IconButton, Section, Segments } from "../ui";
import { DraftText } from "../widgets/DraftText";
import { Prose } from "../widgets/Prose";
import { SettingField } from "../widgets/SettingField";
import { HelpPanel } from "./HelpPanel";
import styles from "./Inspector.module.css";
import { InspectorPorts } from "./InspectorPorts";
import { InspectorProblems } from "./InspectorProblems";
import { InspectorRun } from "./InspectorRun";

addTexts(english);

/** The last wish to see a port that was granted; a wish is granted once, however often the panel is drawn. */
let served = 0;

/** Scroll to a setting or a port; a setting gets the focus. Says whether it is there. */
function goTo(panel: HTMLElement, name: string): boolean {
  const field = [...panel.querySelectorAll<HTMLElement>("[data-setting]")].find((one) =>
    one.dataset.setting?.endsWith(`.${name}`),
  );
  const port = [...panel.querySelectorAll<HTMLElement>("[data-port]")].find((one) => one.dataset.port === name);
  (field ?? port)?.scrollIntoView({ block: "nearest" });
  const control = ":is(input, textarea, [role=combobox], [role=radio], [role=switch], button):not(:disabled)";
  field?.querySelector<HTMLElement>(`[data-control] ${control}`)?.focus({ preventScroll: true });
  return (field ?? port) !== undefined;
}

interface NodeProps {
  path: BodyPath;
  node: string;
  specs: SpecIndex;
}

/** Everything about one node: what it is for, its settings, its ports, what is wrong with it, how it ran. */
export function InspectorNode({ path, node, specs }: NodeProps) {
  const { t } = useTranslation();
  const graph = useGraph();
  const entry = useBody().nodes[node];
  const check = useCheck((state) => state.check);
  const [help, setHelp] = useState(false);
  const [unfolded, setUnfolded] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const wish = useSession((state) => state.focus);
  const wanted = wish && wish.node === node && wish.port !== undefined ? wish.port : null;
  const flat = flatId(path, node);
  // problems of a setting stand under it; those of nodes inside an instance are listed here
  const problems = useProblems(flat);
  // after every drawing: the field may only be there once its section has opened
  useEffect(() => {
    if (!wish || wanted === null || wish.at <= served || !root.current) return;
    const hint = specs.byId.get(entry?.type ?? "")?.schema.properties?.[wanted]?.["x-widget"];
    if (hint?.advanced) setUnfolded(true);
    if (goTo(root.current, wanted)) served = wish.at;
  });
  if (!entry) return null;
  const shape = shapeOf(graph, path, node, specs, check);
  const own = problems.filter((problem) => !shape.settings.some(({ name }) => isAtField(problem, flat, name)));
  const category = categoryOf(entry.type);

  return (
    <div ref={root} className={styles.inspector}>
      <header className={styles.head} style={{ borderTopColor: categoryColour(category) }}>
        <div className={styles.titleRow}>
          <h2 className={styles.title}>{shape.title}</h2>
          {shape.spec?.doc && (
            <IconButton
              size="s"
              label={t("inspector.help")}
              icon={<CircleHelp size={15} />}
              pressed={help}
              aria-expanded={help}
              onClick={() => setHelp(!help)}
            />
          )}
        </div>
        <p className={styles.type}>
          <code>{entry.type}</code>
          {shape.spec && <span>{t("inspector.version", { version: entry.version, pack: shape.spec.pack })}</span>}
          {entry.mode && <Badge tone="warn">{t(`inspector.mode.${entry.mode}`)}</Badge>}
        </p>
        {shape.kind === "unknown" && <p className={styles.warning}>{t("inspector.unknown", { type: entry.type })}</p>}
        {shape.spec?.help && (
          <p className={styles.lead}>
            <Prose text={shape.spec.help} />
          </p>
        )}
        {shape.kind === "subgraph" && <Enter path={path} node={node} type={entry.type} />}
        {help && shape.spec && <HelpPanel text={shape.spec.doc} />}
      </header>
      <InspectorProblems problems={own} flat={flat} />
      <Settings path={path} node={node} shape={shape} unfolded={unfolded} onUnfold={setUnfolded} />
      <InspectorPorts path={path} node={node} shape={shape} specs={specs} />
      <InspectorRun flat={flat} />
      <Identity path={path} node={node} entry={entry} shape={shape} specs={specs} />
    </div>
  );
}

function Enter({ path, node, type }: { path: BodyPath; node: string; type: string }) {
  const { t } = useTranslation();
  const setPath = useTabs((state) => state.setPath);
  return (
    <Button size="s" icon={<SquareArrowOutUpRight size={13} />} onClick={() => setPath([...path, node])}>
      {t("inspector.enter", { name: graphName(type) ?? type })}
    </Button>
  );
}

interface Groups {
  plain: SettingView[];
  named: Map<string, SettingView[]>;
  advanced: SettingView[];
}

/** The primary ones first, then the others as declared; named groups after them, the advanced ones last. */
export function groupSettings(settings: readonly SettingView[]): Groups {
  const groups: Groups = { plain: [], named: new Map(), advanced: [] };
  for (const setting of settings) {
    const { advanced, group } = setting.widget;
    if (advanced) groups.advanced.push(setting);
    else if (group) groups.named.set(group, [...(groups.named.get(group) ?? []), setting]);
    else groups.plain.push(setting);
  }
  const primary = (setting: SettingView) => (setting.widget.primary ? 0 : 1);
  groups.plain.sort((a, b) => primary(a) - primary(b));
  return groups;
}

interface SettingsProps {
  path: BodyPath;
  node: string;
  shape: NodeShape;
  /** The advanced ones are in sight. */
  unfolded: boolean;
  onUnfold: (unfolded: boolean) => void;
}

function Settings({ path, node, shape, unfolded, onUnfold }: SettingsProps) {
  const { t } = useTranslation();
  if (shape.settings.length === 0) return null;
  const { plain, named, advanced } = groupSettings(shape.settings);
  const changed = advanced.filter((setting) => !setting.isDefault).length;
  const fields = (settings: readonly SettingView[]) => (
    <div className={styles.fields}>
      {settings.map((setting) => (
        <SettingField key={setting.name} path={path} node={node} setting={setting} />
      ))}
    </div>
  );
  return (
    <>
      {plain.length > 0 && <Section title={t("inspector.settings")}>{fields(plain)}</Section>}
      {[...named].map(([group, settings]) => (
        <Section key={group} title={group}>
          {fields(settings)}
        </Section>
      ))}
      {advanced.length > 0 && (
        <Section
          title={t("forms.inspector.advanced")}
          open={unfolded}
          onOpenChange={onUnfold}
          note={changed > 0 ? <Badge>{t("inspector.changed", { count: changed })}</Badge> : undefined}
        >
          {fields(advanced)}
        </Section>
      )}
    </>
  );
}

const ON = "on";
type Mode = typeof ON | NonNullable<NodeEntry["mode"]>;

function Identity({ path, node, entry, shape, specs }: NodeProps & { entry: NodeEntry; shape: NodeShape }) {
  const { t } = useTranslation();
  const readOnly = useDoc((doc) => doc.readOnly);
  const setSelection = useSession((state) => state.setSelection);
  const [refusal, setRefusal] = useState<EditError | null>(null);
  const modes: Mode[] = shape.kind === "region" ? [ON, "mute"] : [ON, "mute", "bypass"];
  const prefix = `identity-${flatId(path, node).replaceAll("/", "-")}`;

  /** Tells the field whether the name was taken; why not is said under it. */
  const attempt = (label: string, change: Parameters<ReturnType<typeof currentDoc>["edit"]>[1]): boolean => {
    try {
      change(currentDoc().getState().graph);
    } catch (error) {
      if (!(error instanceof EditError)) throw error;
      setRefusal(error);
      return false;
    }
    setRefusal(null);
    return currentDoc().edit(label, change);
  };

  return (
    <Section title={t("inspector.identity")} defaultOpen={false}>
      <div className={styles.fields}>
        <Field htmlFor={`${prefix}-title`} label={t("inspector.title")} help={t("inspector.titleHelp")}>
          <DraftText
            id={`${prefix}-title`}
            text={entry.title ?? ""}
            placeholder={shape.spec?.title ?? shape.title}
            disabled={readOnly}
            maxLength={120}
            canonical={(text) => text.trim()}
            commit={(text) => attempt("forms.edit.title", (graph) => setTitle(graph, path, node, text))}
          />
        </Field>
        <Field
          htmlFor={`${prefix}-id`}
          label={t("inspector.id")}
          help={t("inspector.idHelp")}
          error={refusal ? t(refusal.key, refusal.values) : undefined}
        >
          <DraftText
            id={`${prefix}-id`}
            text={node}
            mono
            late
            disabled={readOnly}
            canonical={(text) => text.trim()}
            commit={(text) => {
              const id = text.trim();
              const done = attempt("forms.edit.rename", (graph) => renameNode(graph, path, node, id));
              if (done) setSelection([id]);
              return done;
            }}
          />
        </Field>
        <Field label={t("inspector.mode")} help={t(`inspector.mode.${entry.mode ?? ON}Help`)}>
          <Segments
            label={t("inspector.mode")}
            value={entry.mode ?? ON}
            onChange={(mode: Mode) =>
              currentDoc().edit("forms.edit.mode", (graph) =>
                setMode(graph, path, [node], mode === ON ? null : mode, specs),
              )
            }
            options={modes.map((mode) => ({ value: mode, label: t(`inspector.mode.${mode}`) }))}
          />
        </Field>
        {shape.kind !== "subgraph" && draws(shape.spec ?? undefined) && (
          <Field htmlFor={`${prefix}-stream`} label={t("inspector.stream")} help={t("inspector.streamHelp")}>
            <DraftText
              id={`${prefix}-stream`}
              text={entry.stream ?? ""}
              placeholder={node}
              mono
              disabled={readOnly}
              commit={(text) => attempt("forms.edit.stream", (graph) => setStream(graph, path, node, text))}
            />
          </Field>
        )}
        {entry.in !== undefined && (
          <p className={styles.inside}>
            <CornerDownRight size={13} aria-hidden /> {t("inspector.inside", { owner: entry.in })}
          </p>
        )}
      </div>
    </Section>
  );
}

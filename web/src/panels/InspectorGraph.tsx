import { useTranslation } from "react-i18next";
import type { GraphFile } from "../api/schema";
import { type BodyPath, bodyNameAt } from "../graph/body";
import { setMeta, setRun } from "../graph/edit/document";
import { currentDoc, useDoc, useGraph } from "../state/tabs";
import { Field, Section, Segments } from "../ui";
import { DraftText } from "../widgets/DraftText";
import { ValueWidget } from "../widgets/ValueWidget";
import { formatBytes } from "./format";
import { HelpPanel } from "./HelpPanel";
import styles from "./Inspector.module.css";
import { InspectorInterface } from "./InspectorInterface";

const PRECISIONS = ["fp32", "bf16", "fp16"] as const;

/** Nothing is selected: the graph itself, or the subgraph that is shown. */
export function InspectorGraph({ path }: { path: BodyPath }) {
  const { t } = useTranslation();
  const graph = useGraph();
  const readOnly = useDoc((doc) => doc.readOnly);
  const name = bodyNameAt(graph, path);
  return (
    <div className={styles.inspector}>
      <header className={styles.head}>
        <h2 className={styles.title}>{name ?? (graph.meta.title || t("forms.graph.untitled"))}</h2>
        {name === null ? (
          <HelpPanel text={graph.meta.description ?? ""} />
        ) : (
          <p className={styles.lead}>{t("forms.graph.subgraph")}</p>
        )}
      </header>
      <InspectorInterface path={path} />
      {name === null && (
        <>
          <Section title={t("forms.graph.run")}>
            <RunSettings graph={graph} readOnly={readOnly} />
          </Section>
          <Section title={t("forms.graph.about")} defaultOpen={false}>
            <About graph={graph} readOnly={readOnly} />
          </Section>
          <Requires graph={graph} />
        </>
      )}
    </div>
  );
}

function RunSettings({ graph, readOnly }: { graph: GraphFile; readOnly: boolean }) {
  const { t } = useTranslation();
  const seed = "graph-run-seed";
  return (
    <div className={styles.fields}>
      <Field htmlFor={seed} label={t("forms.graph.seed")} help={t("forms.graph.seedHelp")}>
        <ValueWidget
          ids={{ id: seed, labelledBy: seed, describedBy: undefined }}
          label={t("forms.graph.seed")}
          value={graph.run?.seed ?? 0}
          schema={{ type: "integer", minimum: 0, maximum: 2 ** 32 - 1 }}
          hint={{ kind: "seed" }}
          place={null}
          disabled={readOnly}
          onChange={(value) =>
            currentDoc().edit("forms.edit.run", (before) => setRun(before, { seed: Number(value) }), "run:seed")
          }
          onEnd={() => currentDoc().endGroup()}
        />
      </Field>
      <Field label={t("forms.graph.precision")} help={t("forms.graph.precisionHelp")}>
        <Segments
          label={t("forms.graph.precision")}
          value={graph.run?.precision ?? "fp32"}
          onChange={(precision) => currentDoc().edit("forms.edit.run", (before) => setRun(before, { precision }))}
          options={PRECISIONS.map((value) => ({ value, label: value }))}
        />
      </Field>
    </div>
  );
}

function About({ graph, readOnly }: { graph: GraphFile; readOnly: boolean }) {
  const { t } = useTranslation();
  const edit = (patch: Partial<GraphFile["meta"]>) => {
    currentDoc().edit("forms.edit.meta", (before) => setMeta(before, patch), `meta:${Object.keys(patch).join()}`);
    return true;
  };
  const end = () => currentDoc().endGroup();
  const { title = "", description = "", authors = [], license = "" } = graph.meta;
  const field = (key: string) => ({ id: `graph-${key}`, end, disabled: readOnly });
  return (
    <div className={styles.fields}>
      <Field htmlFor="graph-title" label={t("forms.graph.title")}>
        <DraftText {...field("title")} text={title} commit={(text) => edit({ title: text })} />
      </Field>
      <Field htmlFor="graph-description" label={t("forms.graph.description")} help={t("forms.graph.descriptionHelp")}>
        <DraftText
          {...field("description")}
          multiline
          text={description}
          commit={(text) => edit({ description: text })}
        />
      </Field>
      <Field htmlFor="graph-authors" label={t("forms.graph.authors")} help={t("forms.graph.authorsHelp")}>
        <DraftText
          {...field("authors")}
          text={authors.join(", ")}
          late
          canonical={(text) => names(text).join(", ")}
          commit={(text) => edit({ authors: names(text) })}
        />
      </Field>
      <Field htmlFor="graph-license" label={t("forms.graph.license")}>
        <DraftText
          {...field("license")}
          text={license}
          placeholder="CC0-1.0"
          commit={(text) => edit({ license: text })}
        />
      </Field>
    </div>
  );
}

function names(text: string): string[] {
  return text
    .split(/[,，、;；]/)
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** What a file says that it needs. The server writes it; here it is only read. */
function Requires({ graph }: { graph: GraphFile }) {
  const { t, i18n } = useTranslation();
  const { hcpgraph, packs = {}, files = {} } = graph.requires;
  const versions = [...(hcpgraph ? [["hcpgraph", hcpgraph]] : []), ...Object.entries(packs)];
  const named = Object.entries(files);
  if (versions.length + named.length === 0) return null;
  return (
    <Section title={t("forms.graph.requires")} defaultOpen={false}>
      <dl className={styles.facts}>
        {versions.map(([name, version]) => (
          <div key={name} className={styles.fact}>
            <dt>{name}</dt>
            <dd>
              <code>{version}</code>
            </dd>
          </div>
        ))}
        {named.map(([uri, record]) => (
          <div key={uri} className={styles.fact}>
            <dt>
              <code>{uri}</code>
            </dt>
            <dd title={record.sha256}>
              <code>{record.sha256.slice(0, 12)}</code>
              {record.size !== undefined && ` ${formatBytes(record.size, i18n.language)}`}
            </dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

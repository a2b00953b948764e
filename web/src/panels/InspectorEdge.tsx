import { ArrowDown, ArrowUp, Unlink } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/schema";
import { type BodyPath, bareTarget, flatId, ownerOf, splitSource, splitTarget } from "../graph/body";
import { listSize } from "../graph/edit/base";
import { disconnect, reorderWire } from "../graph/edit/wires";
import { targetInfo } from "../graph/face";
import { resolvedType, type SpecIndex } from "../graph/ports";
import { typeInfo } from "../graph/specs";
import { addTexts } from "../i18n";
import english from "../i18n/en/inspector.json";
import { useCheck } from "../state/check";
import { useSession } from "../state/session";
import { currentDoc, useBody, useDoc, useGraph } from "../state/tabs";
import { Button, IconButton, PortShape, Section } from "../ui";
import styles from "./Inspector.module.css";

addTexts(english);

function factText(value: Json): string {
  if (typeof value === "string") return value;
  // (4, 3, 512, 512) is how people write a shape
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) return `(${value.join(", ")})`;
  return JSON.stringify(value);
}

/** One wire: where it comes from and goes to, the type that runs through it, and what is known of its value. */
export function InspectorEdge({ path, target, specs }: { path: BodyPath; target: string; specs: SpecIndex }) {
  const { t } = useTranslation();
  const graph = useGraph();
  const body = useBody();
  const check = useCheck((state) => state.check);
  const readOnly = useDoc((doc) => doc.readOnly);
  const { focusNode, setSelection } = useSession.getState();
  const source = body.edges[target];
  if (source === undefined) return null;
  const takes = targetInfo(graph, body, target, specs);
  const type = (check && resolvedType(graph, path, body, source, check)) ?? takes?.type ?? "any";
  const info = typeInfo(specs, type);
  const facts = Object.entries(check?.facts[flatId(path, source)] ?? {});
  const to = splitTarget(target);
  const places = to.index === null ? 0 : listSize(body, bareTarget(target));

  const move = (by: number) => {
    const place = (to.index ?? 0) + by;
    if (currentDoc().edit("forms.edit.reorder", (before) => reorderWire(before, path, target, place))) {
      setSelection([], [`${bareTarget(target)}.${place}`]);
    }
  };

  return (
    <div className={styles.inspector}>
      <header className={styles.head}>
        <h2 className={styles.title}>{t("inspector.edge.title")}</h2>
        <p className={styles.type}>
          <PortShape shape={info?.shape} color={info?.color} />
          <code>{type}</code>
        </p>
        {info?.help && <p className={styles.lead}>{info.help}</p>}
      </header>
      <Section title={t("inspector.edge.ends")}>
        <dl className={styles.facts}>
          <dt>{t("inspector.edge.from")}</dt>
          <dd>
            <button
              type="button"
              className={styles.jump}
              onClick={() => focusNode(flatId(path, ownerOf(source)), splitSource(source).port)}
            >
              {source}
            </button>
          </dd>
          <dt>{t("inspector.edge.to")}</dt>
          <dd>
            <button type="button" className={styles.jump} onClick={() => focusNode(flatId(path, to.node), to.port)}>
              {target}
            </button>
            {takes && takes.type !== type && <code className={styles.faint}> {takes.type}</code>}
          </dd>
          {places > 1 && (
            <>
              <dt>{t("inspector.edge.place")}</dt>
              <dd className={styles.place}>
                {t("inspector.edge.placeOf", { place: (to.index ?? 0) + 1, count: places })}
                <IconButton
                  size="s"
                  label={t("inspector.edge.earlier")}
                  icon={<ArrowUp size={13} />}
                  disabled={readOnly || to.index === 0}
                  onClick={() => move(-1)}
                />
                <IconButton
                  size="s"
                  label={t("inspector.edge.later")}
                  icon={<ArrowDown size={13} />}
                  disabled={readOnly || to.index === places - 1}
                  onClick={() => move(1)}
                />
              </dd>
            </>
          )}
        </dl>
      </Section>
      <Section title={t("inspector.edge.facts")}>
        {facts.length === 0 ? (
          <p className={styles.faint}>{t("inspector.edge.noFacts")}</p>
        ) : (
          <dl className={styles.facts}>
            {facts.map(([name, value]) => (
              <div key={name} className={styles.fact}>
                <dt>{name}</dt>
                <dd>
                  <code>{factText(value)}</code>
                </dd>
              </div>
            ))}
          </dl>
        )}
      </Section>
      {!readOnly && (
        <div className={styles.foot}>
          <Button
            size="s"
            icon={<Unlink size={13} />}
            onClick={() => currentDoc().edit("forms.edit.disconnect", (before) => disconnect(before, path, target))}
          >
            {t("inspector.edge.remove")}
          </Button>
        </div>
      )}
    </div>
  );
}

import { CircleAlert, Group, Layers } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { LayersReply } from "../api/schema";
import { flatId } from "../graph/body";
import { addTexts } from "../i18n";
import english from "../i18n/en/layers.json";
import { useGraph } from "../state/tabs";
import { Button, Popover, Spinner } from "../ui";
import { replaced } from "./rows";
import { TextRows } from "./TextRows";
import type { WidgetProps } from "./types";
import { useLayerCount } from "./useLayerCount";
import styles from "./widgets.module.css";

addTexts(english);

/** Which layers a plugin changes: selectors, how many layers they match, and which. */
export function LayersField(props: WidgetProps) {
  const { t } = useTranslation();
  const { place, compact, onChange, onEnd } = props;
  const graph = useGraph();
  const patterns = Array.isArray(props.value) ? props.value.map(String) : [];
  const node = place && !compact ? flatId(place.path, place.node) : null;
  const { all, each, pending } = useLayerCount(graph, node, place?.setting ?? "", patterns);

  const use = (pattern: string, name: string) => {
    const index = patterns.indexOf(pattern);
    onChange(index < 0 ? [...patterns, name] : replaced(patterns, index, name));
    onEnd();
  };
  const below = (pattern: string) => {
    const reply = patterns.length === 1 ? all : each.get(pattern);
    if (!reply || pending) return null;
    if (patterns.length > 1 && reply.matched > 0) {
      return <p className={styles.faint}>{t("layers.row", { count: reply.matched })}</p>;
    }
    return reply.near.length > 0 ? <NearMisses names={reply.near} onUse={(name) => use(pattern, name)} /> : null;
  };

  return (
    <div className={styles.stack}>
      <TextRows {...props} items={patterns} mono add={t("layers.add")} below={compact ? undefined : below} />
      {node && (
        <div className={styles.under} role="status">
          {pending || !all ? (
            <span className={styles.faint}>
              <Spinner size={12} /> {t("layers.counting")}
            </span>
          ) : (
            <>
              <Matched reply={all} />
              <Groups groups={all.groups} onUse={(name) => use("", name)} />
            </>
          )}
        </div>
      )}
    </div>
  );
}

function Matched({ reply }: { reply: LayersReply }) {
  const { t } = useTranslation();
  const problem = reply.problems[0];
  if (problem && reply.matched === 0) {
    return (
      <span className={styles.fault}>
        <CircleAlert size={13} aria-hidden /> {problem.message}
        {problem.hint && reply.near.length === 0 ? ` (${problem.hint})` : ""}
      </span>
    );
  }
  return (
    <Popover
      label={t("layers.names")}
      trigger={
        <Button size="s" variant="ghost" icon={<Layers size={13} />}>
          {t("layers.matched", { matched: reply.matched, total: reply.total })}
        </Button>
      }
    >
      <ul className={styles.names}>
        {reply.names.map((name) => (
          <li key={name}>
            <code>{name || t("layers.whole")}</code>
          </li>
        ))}
        {reply.matched > reply.names.length && (
          <li className={styles.faint}>{t("layers.more", { count: reply.matched - reply.names.length })}</li>
        )}
      </ul>
    </Popover>
  );
}

/** The groups of the model's family, each with its number of layers; one that is chosen becomes a further selector. */
function Groups({ groups, onUse }: { groups: LayersReply["groups"]; onUse: (name: string) => void }) {
  const { t } = useTranslation();
  const names = Object.entries(groups);
  if (names.length === 0) return null;
  return (
    <Popover
      label={t("layers.groups")}
      trigger={
        <Button size="s" variant="ghost" icon={<Group size={13} />}>
          {t("layers.groups")}
        </Button>
      }
    >
      <ul className={styles.names}>
        {names.map(([name, count]) => (
          <li key={name}>
            <Button size="s" variant="ghost" className={styles.nearName} onClick={() => onUse(name)}>
              {name}
            </Button>{" "}
            <span className={styles.faint}>{t("layers.row", { count })}</span>
          </li>
        ))}
      </ul>
    </Popover>
  );
}

function NearMisses({ names, onUse }: { names: readonly string[]; onUse: (name: string) => void }) {
  const { t } = useTranslation();
  return (
    <div className={styles.near}>
      <span className={styles.faint}>{t("layers.near")}</span>
      {names.map((name) => (
        <Button key={name} size="s" variant="ghost" className={styles.nearName} onClick={() => onUse(name)}>
          {name}
        </Button>
      ))}
    </div>
  );
}

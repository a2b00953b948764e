import { X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { GraphFile } from "../api/schema";
import { type BodyPath, flatId, ownerOf, splitTarget } from "../graph/body";
import { demote, demoteOutput, renameInterface } from "../graph/edit/interface";
import { EditError } from "../graph/error";
import { useSession } from "../state/session";
import { currentDoc, useBody, useDoc } from "../state/tabs";
import { Badge, IconButton, Section } from "../ui";
import { DraftText } from "../widgets/DraftText";
import styles from "./Inspector.module.css";

/** The names that this graph shows to the outside: fields of the form, or settings and ports of its instances. */
export function InspectorInterface({ path }: { path: BodyPath }) {
  const { t } = useTranslation();
  const { inputs = {}, outputs = {} } = useBody().interface;
  const names = Object.keys(inputs);
  const given = Object.keys(outputs);
  return (
    <Section title={t("forms.interface.title")} note={<Badge>{names.length + given.length}</Badge>}>
      {names.length + given.length === 0 && <p className={styles.faint}>{t("forms.interface.empty")}</p>}
      {names.length > 0 && <h3 className={styles.sideName}>{t("forms.interface.inputs")}</h3>}
      <ul className={styles.rows}>
        {names.map((name) => (
          <Row
            key={name}
            path={path}
            side="inputs"
            name={name}
            ends={inputs[name] ?? []}
            onRemove={(graph) =>
              (inputs[name] ?? []).reduce((now, target) => {
                const { node, port } = splitTarget(target);
                return demote(now, path, node, port);
              }, graph)
            }
          />
        ))}
      </ul>
      {given.length > 0 && <h3 className={styles.sideName}>{t("forms.interface.outputs")}</h3>}
      <ul className={styles.rows}>
        {given.map((name) => (
          <Row
            key={name}
            path={path}
            side="outputs"
            name={name}
            ends={[outputs[name] ?? ""]}
            onRemove={(graph) => demoteOutput(graph, path, name)}
          />
        ))}
      </ul>
    </Section>
  );
}

interface RowProps {
  path: BodyPath;
  side: "inputs" | "outputs";
  name: string;
  ends: readonly string[];
  onRemove: (graph: GraphFile) => GraphFile;
}

function Row({ path, side, name, ends, onRemove }: RowProps) {
  const { t } = useTranslation();
  const readOnly = useDoc((doc) => doc.readOnly);
  const focusNode = useSession((state) => state.focusNode);
  const [refusal, setRefusal] = useState<EditError | null>(null);

  const rename = (text: string): boolean => {
    const next = text.trim();
    try {
      renameInterface(currentDoc().getState().graph, path, side, name, next);
    } catch (error) {
      if (!(error instanceof EditError)) throw error;
      setRefusal(error);
      return false;
    }
    setRefusal(null);
    return currentDoc().edit("forms.edit.rename", (graph) => renameInterface(graph, path, side, name, next));
  };

  return (
    <li className={styles.row}>
      <div className={styles.rowHead}>
        <DraftText
          size="s"
          mono
          late
          label={t("forms.interface.name", { name })}
          text={name}
          disabled={readOnly}
          canonical={(text) => text.trim()}
          commit={rename}
        />
        <IconButton
          size="s"
          label={t("forms.interface.remove", { name })}
          icon={<X size={13} />}
          disabled={readOnly}
          onClick={() => currentDoc().edit("forms.edit.demote", onRemove)}
        />
      </div>
      {refusal && (
        <p className={styles.error} role="alert">
          {t(refusal.key, refusal.values)}
        </p>
      )}
      <span className={styles.ends}>
        {ends.map((end) => (
          <button
            key={end}
            type="button"
            className={styles.jump}
            onClick={() => focusNode(flatId(path, ownerOf(end)), splitTarget(end).port)}
          >
            {side === "inputs" ? "→ " : "← "}
            {end}
          </button>
        ))}
      </span>
    </li>
  );
}

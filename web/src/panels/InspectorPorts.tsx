import { Pin, PinOff } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type BodyPath, flatId, ownerOf, splitSource, splitTarget } from "../graph/body";
import { demote, demoteOutput, promote, promoteOutput } from "../graph/edit/interface";
import type { NodeShape, PortView, SpecIndex } from "../graph/ports";
import { typeInfo } from "../graph/specs";
import { useSession } from "../state/session";
import { currentDoc, useDoc } from "../state/tabs";
import { IconButton, PortShape, Section } from "../ui";
import { Prose } from "../widgets/Prose";
import styles from "./Inspector.module.css";

interface PortsProps {
  path: BodyPath;
  node: string;
  shape: NodeShape;
  specs: SpecIndex;
}

/** The ports of a node with their types, and where their wires lead. */
export function InspectorPorts({ path, node, shape, specs }: PortsProps) {
  const { t } = useTranslation();
  const sides = (["inputs", "entries", "exits", "outputs"] as const).filter((side) => shape[side].length > 0);
  if (sides.length === 0) return null;
  return (
    <Section title={t("inspector.ports")}>
      {sides.map((side) => (
        <div key={side} className={styles.side}>
          <h3 className={styles.sideName}>{t(`inspector.${side}`)}</h3>
          <ul className={styles.ports}>
            {shape[side].map((port) => (
              <Port key={port.address} path={path} node={node} port={port} ports={shape[side]} specs={specs} />
            ))}
          </ul>
        </div>
      ))}
    </Section>
  );
}

interface PortProps {
  path: BodyPath;
  node: string;
  port: PortView;
  /** All on its side. */
  ports: readonly PortView[];
  specs: SpecIndex;
}

function Port({ path, node, port, ports, specs }: PortProps) {
  const { t } = useTranslation();
  const focusNode = useSession((state) => state.focusNode);
  const info = typeInfo(specs, port.type);
  const target = port.side === "input" || port.side === "exit";
  const missing = target && !port.optional && port.wires.length === 0 && port.promoted === null;
  const parts = Object.keys(info?.parts ?? {}).join(", ");
  const own = target && port.wires.length > 0 ? ports.filter((one) => one.partOf === port.name) : [];
  const wins = own.flatMap(({ name, wires }) => (wires.length > 0 ? name : [])).join(", ");
  const ends = port.wires.map(({ target: to, source }) => (target ? source : to));
  return (
    <li className={styles.port} data-port={port.name}>
      <div className={styles.portHead}>
        <PortShape shape={info?.shape} color={info?.color} filled={port.wires.length > 0} many={port.many} />
        <span className={styles.portName}>{port.name}</span>
        <code className={styles.portType}>{port.type}</code>
        {port.stray && <span className={styles.missing}>{t("inspector.port.stray")}</span>}
        {missing && <span className={styles.missing}>{t("inspector.port.missing")}</span>}
        {target && port.optional && port.wires.length === 0 && (
          <span className={styles.faint}>{t("inspector.port.optional")}</span>
        )}
        <Promote path={path} node={node} port={port} />
      </div>
      {port.help && (
        <p className={styles.portHelp}>
          <Prose text={port.help} />
        </p>
      )}
      {parts !== "" && <p className={styles.portHelp}>{t("inspector.port.parts", { parts })}</p>}
      {wins !== "" && <p className={styles.portHelp}>{t("inspector.port.partsWin", { parts: wins })}</p>}
      {port.promoted !== null && (
        <p className={styles.faint}>{t("inspector.port.promoted", { name: port.promoted })}</p>
      )}
      {ends.length > 0 && (
        <ul className={styles.ends}>
          {ends.map((end) => {
            const other = ownerOf(end);
            const name = target ? splitSource(end).port : splitTarget(end).port;
            return (
              <li key={end}>
                <button
                  type="button"
                  className={styles.jump}
                  aria-label={t(target ? "inspector.port.from" : "inspector.port.to", { port: port.name, end })}
                  onClick={() => focusNode(flatId(path, other), name)}
                >
                  {target ? "← " : "→ "}
                  {other === node ? name : end}
                </button>
              </li>
            );
          })}
        </ul>
      )}
    </li>
  );
}

/** Show a port to the outside of a subgraph, or no more. Entries and exits belong to their region. */
function Promote({ path, node, port }: { path: BodyPath; node: string; port: PortView }) {
  const { t } = useTranslation();
  const readOnly = useDoc((doc) => doc.readOnly);
  const { promoted, name, side, address } = port;
  const input = side === "input";
  if (readOnly || (!input && side !== "output") || (promoted === null && path.length === 0 && input)) return null;
  const toggle = () => {
    if (promoted === null) {
      currentDoc().edit("forms.edit.promote", (graph) =>
        input ? promote(graph, path, node, name) : promoteOutput(graph, path, address),
      );
    } else {
      currentDoc().edit("forms.edit.demote", (graph) =>
        input ? demote(graph, path, node, name) : demoteOutput(graph, path, promoted),
      );
    }
  };
  return (
    <IconButton
      size="s"
      className={styles.pin}
      label={promoted === null ? t("forms.promote", { label: name }) : t("forms.demote", { name: promoted })}
      icon={promoted === null ? <Pin size={13} /> : <PinOff size={13} />}
      pressed={promoted !== null}
      onClick={toggle}
    />
  );
}

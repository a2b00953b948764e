import { type NodeProps, useUpdateNodeInternals } from "@xyflow/react";
import { memo, useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { NodeShape } from "../graph/ports";
import { useProblems } from "../state/check";
import { useSession } from "../state/session";
import { useTabs } from "../state/tabs";
import { categoryColour, categoryOf, cx } from "../ui";
import type { CardNode } from "./flow";
import { HEADER, PAD, PORT_ROW, portRows, shownSettings } from "./geometry";
import { NodeHeader } from "./NodeHeader";
import { NodePicture } from "./NodePicture";
import styles from "./NodeView.module.css";
import { Port, PortRow } from "./Port";
import { fieldPort, SettingRow } from "./SettingRow";
import { FarState, RunLine, StateTag } from "./StateTag";
import { useDetail } from "./useDetail";

/** Tell the drawing where the ports are now; sizes alone do not say it. */
export function usePortPlaces(id: string, places: string): void {
  const update = useUpdateNodeInternals();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `places` says when ports have moved
  useEffect(() => update(id), [id, places, update]);
}

/** A node of the graph. */
export const NodeView = memo(function NodeView({ id, data, selected, height }: NodeProps<CardNode>) {
  const { shape, entry, flat, collapsed, path } = data;
  const { t } = useTranslation();
  const detail = useDetail();
  const broken = useProblems(flat).some((problem) => problem.severity === "error");
  const { shown, more } = shownSettings(shape);
  const ports = [...shape.inputs, ...shown, ...shape.outputs].map((port) => port.name).join();
  usePortPlaces(id, `${ports};${collapsed};${detail}`);

  const className = cx(
    styles.card,
    selected && styles.selected,
    broken && styles.broken,
    entry.mode && styles[entry.mode],
    shape.kind === "unknown" && styles.unknown,
    shape.kind === "subgraph" && styles.stacked,
  );
  const colour = { "--category": categoryColour(categoryOf(entry.type)) } as React.CSSProperties;

  if (collapsed) {
    return (
      <div className={cx(className, styles.collapsed)} style={colour}>
        {detail ? <StateTag flat={flat} /> : <FarState flat={flat} />}
        <NodeHeader id={id} data={data} />
        <RunLine flat={flat} title={shape.title} />
        <GatheredPorts shape={shape} node={id} />
      </div>
    );
  }
  if (!detail) {
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: the same double click as on the title nearby
      <div
        className={cx(className, styles.far)}
        style={{ ...colour, minHeight: height ?? undefined }}
        onDoubleClick={() => shape.kind === "subgraph" && useTabs.getState().setPath([...path, id])}
      >
        <span className={styles.farTitle}>{shape.title}</span>
        <FarState flat={flat} />
        <FarPorts ports={shape.inputs} />
        <FarPorts ports={shape.outputs} />
        <WiredSettings shape={shape} node={id} className={styles.farSetting} />
      </div>
    );
  }
  return (
    <div className={className} style={colour}>
      <StateTag flat={flat} />
      <NodeHeader id={id} data={data} />
      <RunLine flat={flat} title={shape.title} />
      <PortColumns shape={shape} />
      {(shown.length > 0 || more > 0) && (
        <div className={styles.settings}>
          {shown.map((setting) => (
            <SettingRow key={setting.name} path={path} node={id} setting={setting} />
          ))}
          {more > 0 && shown.length === 0 && portRows(shape) === 0 && <MoreSettings id={id} count={more} />}
        </div>
      )}
      {shape.kind === "unknown" && <p className={styles.note}>{t("canvas.node.unknown", { type: entry.type })}</p>}
      <NodePicture flat={flat} title={shape.title} />
    </div>
  );
});

function MoreSettings({ id, count }: { id: string; count: number }) {
  const { t } = useTranslation();
  const open = () => {
    useSession.getState().setSelection([id]);
    useSession.setState({ right: { open: true } });
  };
  return (
    <button type="button" className={cx(styles.more, "nodrag")} onClick={open}>
      {t("canvas.node.more", { count })}
    </button>
  );
}

/** Inputs left, outputs right. */
function PortColumns({ shape }: { shape: NodeShape }) {
  if (portRows(shape) === 0) return null;
  return (
    <div className={styles.ports}>
      <div className={styles.column}>
        {shape.inputs.map((port) => (
          <PortRow key={port.name} port={port} />
        ))}
      </div>
      <div className={styles.column}>
        {shape.outputs.map((port) => (
          <PortRow key={port.name} port={port} />
        ))}
      </div>
    </div>
  );
}

/** Marks alone, where the rows have them. */
function FarPorts({ ports }: { ports: NodeShape["inputs"] }) {
  return ports.map((port, row) => <Port key={port.name} port={port} top={HEADER + PAD + (row + 0.5) * PORT_ROW} />);
}

/** Of a collapsed node all wires end at one place on either side. */
function GatheredPorts({ shape, node }: { shape: NodeShape; node: string }) {
  return (
    <>
      {shape.inputs.map((port) => (
        <Port key={port.name} port={port} className={styles.gathered} />
      ))}
      <WiredSettings shape={shape} node={node} className={styles.gathered} />
      {shape.outputs.map((port) => (
        <Port key={port.name} port={port} className={styles.gathered} />
      ))}
    </>
  );
}

/** Where fields are not drawn, the wires into settings still need an end. */
function WiredSettings({ shape, node, className }: { shape: NodeShape; node: string; className?: string }) {
  const wired = shape.settings.filter((setting) => setting.wired !== null);
  return wired.map((setting) => <Port key={setting.name} port={fieldPort(node, setting)} className={className} />);
}

import { Handle, Position } from "@xyflow/react";
import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { flatId } from "../graph/body";
import { isTarget, type PortView } from "../graph/ports";
import { typeInfo } from "../graph/specs";
import { useSpecs } from "../state/specs";
import { currentPath, useTabs } from "../state/tabs";
import { cx, PortShape, Tooltip, typeColour } from "../ui";
import styles from "./Port.module.css";
import { enterPort, leavePort } from "./portHint";
import { useCanvas, usePortPart } from "./store";

const SIDE_KEYS = {
  input: "canvas.port.input",
  output: "canvas.port.output",
  entry: "canvas.port.entry",
  exit: "canvas.port.exit",
  setting: "canvas.port.setting",
};

/**
 * The end of wires: colour and shape of its type, hollow while nothing is wired to it. With `top` it is a dot at that height:
 * seen from afar a shape is no more than that, and a thousand nodes have many.
 */
export function Port({ port, className, top }: { port: PortView; className?: string; top?: number }) {
  const { t } = useTranslation();
  const plain = top !== undefined;
  const info = useSpecs(({ index }) => (index ? typeInfo(index, port.type) : undefined));
  const part = usePortPart(port.address);
  const chosen = useCanvas((state) => state.port === port.address);
  const target = isTarget(port.side);
  const wired = port.wires.length > 0 || port.promoted !== null;
  const missing = target && !port.optional && !wired && port.side !== "setting";
  const name = t(SIDE_KEYS[port.side], { name: port.name, type: port.type });
  const state = wired ? t("canvas.port.wired", { count: port.wires.length }) : missing ? t("canvas.port.missing") : "";
  return (
    <Handle
      id={port.name}
      type={target ? "target" : "source"}
      position={target ? Position.Left : Position.Right}
      className={cx(
        styles.handle,
        plain ? styles.plain : styles[part],
        missing && styles.missing,
        chosen && styles.chosen,
        className,
      )}
      style={plain ? { color: typeColour(info?.color), top } : undefined}
      role="button"
      tabIndex={-1}
      aria-label={state ? `${name}, ${state}` : name}
      data-port={port.address}
      onPointerEnter={(event) => enterPort(event, port)}
      onPointerLeave={leavePort}
      onFocus={() => useCanvas.setState({ port: port.address })}
      onBlur={() => useCanvas.setState({ port: null })}
    >
      {!plain && (
        <PortShape shape={info?.shape} color={info?.color} filled={wired} many={port.many} className={styles.shape} />
      )}
    </Handle>
  );
}

/** A port with its name beside it. */
export function PortRow({ port, children }: { port: PortView; children?: ReactNode }) {
  const part = usePortPart(port.address);
  const source = !isTarget(port.side);
  return (
    <div className={cx(styles.row, source && styles.source, part === "illegal" && styles.dimmed)}>
      <Port port={port} />
      <span className={cx(styles.name, port.stray && styles.stray)}>{port.name}</span>
      {port.opened !== undefined && <Parts port={port} opened={port.opened} />}
      {children}
    </div>
  );
}

/** Shows the ports for the parts of a bundle, or hides those that nothing uses. */
function Parts({ port, opened }: { port: PortView; opened: boolean }) {
  const { t } = useTranslation();
  return (
    <Tooltip content={t("canvas.parts.help")}>
      <button
        type="button"
        className={cx(styles.parts, "nodrag")}
        aria-label={t("canvas.parts.label", { name: port.name })}
        aria-expanded={opened}
        onClick={() => useTabs.getState().toggleParts(flatId(currentPath(), port.address))}
        onDoubleClick={(event) => event.stopPropagation()}
      >
        {t("canvas.parts")}
        <ChevronRight size={12} aria-hidden />
      </button>
    </Tooltip>
  );
}

import type { TFunction } from "i18next";
import type { Problem } from "../api/schema";
import type { CardData } from "./flow";

/** How a node is read out: "Add noise, in Train loop, 4 inputs, 1 missing: noise". */
export function nodeLabel(t: TFunction, { shape, entry, region }: CardData, problems: readonly Problem[]): string {
  const missing = shape.inputs.filter((port) => !port.optional && port.wires.length === 0 && port.promoted === null);
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const parts = [shape.title];
  if (shape.kind === "unknown") parts.push(t("canvas.label.unknown"));
  if (shape.kind === "subgraph") parts.push(t("canvas.label.subgraph"));
  if (region !== null) parts.push(t("canvas.label.in", { region }));
  if (shape.inputs.length > 0) parts.push(t("canvas.label.inputs", { count: shape.inputs.length }));
  if (missing.length > 0) {
    parts.push(
      t("canvas.label.missing", { count: missing.length, names: missing.map((port) => port.name).join(", ") }),
    );
  }
  if (entry.mode === "mute") parts.push(t("canvas.node.muted"));
  if (entry.mode === "bypass") parts.push(t("canvas.node.bypassed"));
  if (errors > 0) parts.push(t("canvas.node.errors", { count: errors }));
  return parts.join(", ");
}

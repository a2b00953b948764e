import type { GraphFile } from "../api/schema";
import { splitTarget } from "../graph/body";
import { type SettingView, type SpecIndex, shapeOf } from "../graph/ports";

export interface FormField {
  /** Name in the interface. */
  name: string;
  /** The first setting that it stands for; setting it sets all of them. */
  node: string;
  setting: SettingView;
}

/** What the interface of the root lets people set, in the order in which the drawing uses it: from left to right. */
export function formFields(graph: GraphFile, specs: SpecIndex): FormField[] {
  const fields: FormField[] = [];
  for (const [name, targets] of Object.entries(graph.interface.inputs ?? {})) {
    for (const target of targets) {
      const { node, port } = splitTarget(target);
      if (!Object.hasOwn(graph.nodes, node)) continue;
      const setting = shapeOf(graph, [], node, specs).settings.find((one) => one.name === port);
      if (!setting) continue;
      fields.push({ name, node, setting });
      break;
    }
  }
  const place = (field: FormField) => graph.view.nodes?.[field.node] ?? [Infinity, Infinity];
  const primary = (field: FormField) => (field.setting.widget.primary ? 0 : 1);
  return fields.sort((a, b) => {
    const [[ax = 0, ay = 0], [bx = 0, by = 0]] = [place(a), place(b)];
    return compare(ax, bx) || compare(ay, by) || primary(a) - primary(b) || a.name.localeCompare(b.name);
  });
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

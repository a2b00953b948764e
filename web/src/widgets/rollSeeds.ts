import { bodyAt, validPath } from "../graph/body";
import { setSetting } from "../graph/edit/settings";
import { portValue } from "../graph/values";
import { useSpecs } from "../state/specs";
import { currentTab, useTabs } from "../state/tabs";
import { seedsFor, useSeeds } from "./seeds";

/** Before a run: seeds that are set to "new" or "increment" get their next value, in one step of undo. */
export function rollSeeds(): void {
  const { id, doc } = currentTab();
  useSeeds.getState().keepOnly(useTabs.getState().tabs.map((tab) => tab.id));
  const specs = useSpecs.getState().index;
  const { graph, readOnly } = doc.getState();
  if (!specs || readOnly) return;
  const next = seedsFor(id, (path, node, setting) => {
    if (validPath(graph, path).length < path.length) return undefined;
    const body = bodyAt(graph, path);
    // a seed that a wire brings is not ours to change
    if (body.edges[`${node}.${setting}`] !== undefined) return undefined;
    return portValue(graph, path, body, `${node}.${setting}`, specs).value;
  });
  if (next.length === 0) return;
  doc.edit("forms.edit.seeds", (before) =>
    next.reduce((now, { path, node, setting, value }) => setSetting(now, path, node, setting, value), before),
  );
}

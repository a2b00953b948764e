import type { Body, GraphFile, Json } from "../../api/schema";
import { type BodyPath, bodyAt, nodeIn, promotedAs, splitTarget } from "../body";
import { targetInfo } from "../face";
import { sameJson } from "../normal";
import type { SpecIndex } from "../specs";
import { keeper } from "../values";
import { editBody, editNode } from "./base";

/**
 * Set a setting. One that the interface of its body shows is one value: inside a subgraph it is set on the instance, as
 * `--set instance/node.setting` does; in the root all settings under the same name are set.
 */
export function setSetting(graph: GraphFile, path: BodyPath, node: string, name: string, value: Json): GraphFile {
  nodeIn(bodyAt(graph, path), node);
  const place = keeper(graph, path, `${node}.${name}`);
  return editBody(graph, place.path, (body) => {
    let next = body;
    for (const address of together(body, place.address)) next = write(next, address, value);
    return next;
  });
}

/** Set what the interface of a body shows under a name, on everything that it names. */
export function setInterfaceValue(
  graph: GraphFile,
  path: BodyPath,
  name: string,
  value: Json,
  specs: SpecIndex,
): GraphFile {
  const body = bodyAt(graph, path);
  const settings = (body.interface.inputs?.[name] ?? []).filter(
    (target) => targetInfo(graph, body, target, specs)?.kind === "setting",
  );
  const [first] = settings;
  if (first === undefined) return graph;
  const { node, port } = splitTarget(first);
  return setSetting(graph, path, node, port, value);
}

/** Let a setting take the value of its declaration; on an instance, the value of the body. */
export function resetSetting(graph: GraphFile, path: BodyPath, node: string, name: string): GraphFile {
  nodeIn(bodyAt(graph, path), node);
  const place = keeper(graph, path, `${node}.${name}`);
  return editBody(graph, place.path, (body) => {
    let next = body;
    for (const address of together(body, place.address)) next = erase(next, address);
    return next;
  });
}

/** The settings that share a value with this one in this body: those under the same name of its interface. */
function together(body: Body, address: string): string[] {
  const name = promotedAs(body, address);
  const targets = name === null ? [] : (body.interface.inputs?.[name] ?? []);
  return [address, ...targets.filter((target) => target !== address && isSetting(body, target))];
}

/** A place in a list port is no setting; neither is what hangs on a node that is not there. */
function isSetting(body: Body, address: string): boolean {
  const { node, index } = splitTarget(address);
  return index === null && Object.hasOwn(body.nodes, node);
}

function write(body: Body, address: string, value: Json): Body {
  const { node, port } = splitTarget(address);
  return editNode(body, node, (entry) =>
    sameJson(entry.settings?.[port], value) ? entry : { ...entry, settings: { ...entry.settings, [port]: value } },
  );
}

function erase(body: Body, address: string): Body {
  const { node, port } = splitTarget(address);
  return editNode(body, node, (entry) => {
    if (!Object.hasOwn(entry.settings ?? {}, port)) return entry;
    const { [port]: _, ...settings } = entry.settings ?? {};
    return { ...entry, settings: Object.keys(settings).length > 0 ? settings : undefined };
  });
}

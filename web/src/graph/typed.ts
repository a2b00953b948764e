import type { GraphFile } from "../api/schema";
import { type BodyPath, bodyAt, drawnId, promotedAs } from "./body";

/** A node, by its flat id, and a port of it. */
export interface Place {
  node: string;
  port: string | undefined;
}

/**
 * Where a person wrote what a problem is about. A setting of a subgraph that is promoted gets its value from the instance
 * around it, or from the instance around that: it is the field there that must be changed, not the one inside.
 */
export function typedAt(graph: GraphFile, { node, port }: Place): Place {
  const drawn = drawnId(graph, node);
  if (port === undefined) return { node: drawn, port };
  const path = drawn.split("/");
  let [name, id] = [port, path.pop() ?? drawn];
  for (;;) {
    const here = { node: [...path, id].join("/"), port: name };
    const instance = path.pop();
    if (instance === undefined) return here;
    const promoted = promotedAs(bodyAt(graph, [...path, instance] as BodyPath), `${id}.${name}`);
    const outer = bodyAt(graph, path as BodyPath);
    const address = `${instance}.${promoted}`;
    const given =
      promoted !== null &&
      (Object.hasOwn(outer.nodes[instance]?.settings ?? {}, promoted) ||
        Object.hasOwn(outer.edges, address) ||
        promotedAs(outer, address) !== null);
    if (!given) return here;
    [name, id] = [promoted, instance];
  }
}

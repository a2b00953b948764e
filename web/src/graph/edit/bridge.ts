import type { Body, Check, GraphFile } from "../../api/schema";
import { type BodyPath, nodeIn, ownerOf, splitTarget, wiresAt } from "../body";
import { resolvedType, shapeOf } from "../ports";
import { type SpecIndex, typeFits } from "../specs";

/**
 * Lead what fed a node past it, as bypassing does: each output that is read takes the first unused connected input, in
 * the order of the declaration, whose type fits. The node itself stays.
 */
export function bridge(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  id: string,
  specs: SpecIndex,
  check: Check | null,
): Body {
  const shape = shapeOf(graph, path, id, specs, check);
  const wires = wiresAt(body, id);
  const free = shape.inputs.flatMap((port) =>
    wires.incoming.filter(({ target, source }) => splitTarget(target).port === port.name && ownerOf(source) !== id),
  );
  const edges = { ...body.edges };
  const outputs = { ...body.interface.outputs };
  for (const port of shape.outputs) {
    const readers = wires.outgoing.filter(({ source }) => source === port.address);
    const given = Object.keys(outputs).filter((name) => outputs[name] === port.address);
    if (readers.length === 0 && given.length === 0) continue;
    const at = free.findIndex(({ source }) => {
      const type = sourceTypeOf(graph, path, body, source, specs, check);
      return type !== null && typeFits(specs, port.type, type) && typeFits(specs, type, port.type);
    });
    const [wire] = at < 0 ? [] : free.splice(at, 1);
    if (!wire) continue;
    for (const { target } of readers) edges[target] = wire.source;
    for (const name of given) outputs[name] = wire.source;
  }
  return { ...body, edges, interface: { ...body.interface, outputs } };
}

/** The type of a source as far as it is known. */
export function sourceTypeOf(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  source: string,
  specs: SpecIndex,
  check: Check | null,
): string | null {
  const known = check ? resolvedType(graph, path, body, source, check) : undefined;
  if (known !== undefined) return known;
  const shape = shapeOf(graph, path, ownerOf(source), specs, check);
  return [...shape.outputs, ...shape.entries].find((port) => port.address === source)?.type ?? null;
}

/** The type that a target takes. */
export function targetTypeOf(
  graph: GraphFile,
  path: BodyPath,
  body: Body,
  target: string,
  specs: SpecIndex,
  check: Check | null,
): string | null {
  const id = ownerOf(target);
  nodeIn(body, id);
  const shape = shapeOf(graph, path, id, specs, check);
  const { port } = splitTarget(target);
  const found = [...shape.inputs, ...shape.exits].find((one) => one.name === port);
  return found?.type ?? shape.settings.find((one) => one.name === port)?.type ?? null;
}

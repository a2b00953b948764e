import type { Body, GraphFile } from "../api/schema";
import { ownerOf, regionChain } from "./body";
import { sourceInfo, targetInfo } from "./face";
import type { SpecIndex } from "./specs";

/** The regions around a source, outermost first; an entry lies inside of the region of its owner. */
export function sourceScope(graph: GraphFile, body: Body, source: string, specs: SpecIndex): string[] {
  const id = ownerOf(source);
  const chain = regionChain(body, id);
  return sourceInfo(graph, body, source, specs)?.side === "entry" ? [...chain, id] : chain;
}

/** The regions that a target can read from, outermost first; an exit is fed from inside of the region of its owner. */
export function targetScope(graph: GraphFile, body: Body, target: string, specs: SpecIndex): string[] {
  const id = ownerOf(target);
  const chain = regionChain(body, id);
  return targetInfo(graph, body, target, specs)?.kind === "exit" ? [...chain, id] : chain;
}

/** The innermost region around a source that does not enclose the target, from which nothing may be read there. */
export function closedTo(from: readonly string[], to: readonly string[]): string | null {
  return from.every((owner, i) => to[i] === owner) ? null : (from.at(-1) ?? null);
}

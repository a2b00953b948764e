import type { Capabilities, Write } from "../api/schema";
import { splitUri } from "../widgets/uri";

/** What of the wishes of a graph keeps it from running here, or should be known before it runs. */
export interface Wishes {
  missingReads: number;
  untrusted: string[];
  missing: number;
  /** Nothing at all beyond computing. */
  none: boolean;
}

export function wishesOf(wanted: Capabilities): Wishes {
  const untrusted = [...new Set(wanted.objects.filter((one) => !one.trusted).map((one) => one.path))];
  const files = wanted.files.filter((file) => file.found === null || file.same === false);
  const packs = wanted.packs.filter((pack) => !pack.ok);
  const { reads, writes, objects, unknown, hub } = wanted;
  const named = [...reads, ...writes, ...objects, ...unknown, ...hub, ...packs, ...wanted.types_missing];
  return {
    missingReads: reads.filter((one) => !one.exists).length,
    untrusted,
    missing: packs.length + wanted.types_missing.length + files.length,
    none: named.length === 0,
  };
}

/** Where a run may be allowed to write: what its graph names, and what it may name while it runs. */
export function rootsToAllow(wanted: Capabilities): string[] {
  const roots = wanted.writes.filter((one) => one.problem?.code === "E_WRITE").map((one) => rootOf(one));
  if (wanted.unknown.some((one) => one.kind === "write")) roots.push("data", "models");
  return [...new Set(roots)].filter((root) => root !== "builtin").sort();
}

/** Whether a write is refused with these roots allowed. */
export function isRefused(write: Write, allowed: string[]): boolean {
  return write.problem !== null && !(write.problem.code === "E_WRITE" && allowed.includes(rootOf(write)));
}

function rootOf({ uri }: Write): string {
  return splitUri(uri)?.root ?? "";
}

/** The command that lets graphs name a class, safe to paste into a shell. */
export function trustCommand(path: string): string {
  return `hcpgraph trust add ${/^[\w.:]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`;
}

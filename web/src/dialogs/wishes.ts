import type { Capabilities } from "../api/schema";

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
  const { reads, writes, objects, hub } = wanted;
  return {
    missingReads: reads.filter((one) => !one.exists).length,
    untrusted,
    missing: packs.length + wanted.types_missing.length + files.length,
    none: reads.length + writes.length + objects.length + hub.length + packs.length + wanted.types_missing.length === 0,
  };
}

/** The command that lets graphs name a class, safe to paste into a shell. */
export function trustCommand(path: string): string {
  return `hcpgraph trust add ${/^[\w.:]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`;
}

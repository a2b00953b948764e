import type { NodeSpec, PortSpec, Specs, TypeInfo } from "../api/schema";

/** The node types there are, for lookups. */
export interface SpecIndex {
  byId: Map<string, NodeSpec>;
  types: Map<string, TypeInfo>;
  /** Target type -> source types that it takes, as the server computed it. */
  accepts: Map<string, Set<string>>;
  /** First parts of the ids ("data", "model" …), sorted. */
  categories: string[];
  /** Setting, or input of a graph -> its label, where the language of the specs has one. */
  labels: Map<string, string>;
  /** Error code -> what it means, in the language of the specs. */
  codes: Map<string, string>;
}

export function indexSpecs(specs: Specs): SpecIndex {
  return {
    byId: new Map(specs.specs.map((spec) => [spec.id, spec])),
    types: new Map(specs.types.map((type) => [type.name, type])),
    accepts: new Map(Object.entries(specs.accepts).map(([target, sources]) => [target, new Set(sources)])),
    labels: new Map(Object.entries(specs.labels ?? {})),
    codes: new Map(Object.entries(specs.codes)),
    categories: [...new Set(specs.specs.map((spec) => categoryOf(spec.id)))].sort(),
  };
}

export function categoryOf(type: string): string {
  return type.split(".")[0] ?? type;
}

export function portOf(ports: readonly PortSpec[], name: string): PortSpec | undefined {
  return ports.find((port) => port.name === name);
}

/**
 * Whether the table lets a source type feed a target type. Types that it does not list (they arise by inference only)
 * pass when nothing in the table speaks against them: /api/check has the last word.
 */
export function typeFits(specs: SpecIndex, target: string, source: string): boolean {
  if (target === source || isOpen(target) || isOpen(source)) return true;
  const taken = specs.accepts.get(target);
  if (!taken) return true;
  if (taken.has(source)) return true;
  for (const sources of specs.accepts.values()) if (sources.has(source)) return false;
  return true;
}

/** What the wires of an input may bring: to one for many wires its type, or lists of it, as the table has it. */
export function takenBy(type: string, many: boolean | undefined): string {
  return many && !type.startsWith("$") ? `Many[${type}]` : type;
}

/** "any", or a variable of which nothing is known yet; one with a bound ("$M:Model") is in the table. */
function isOpen(type: string): boolean {
  return type === "any" || (type.startsWith("$") && !type.includes(":"));
}

/** A variable of which nothing is known but its bound: "$M:Handle" -> "Handle". */
export function plainType(type: string): string {
  return type.replace(/^\$\w+:/, "");
}

/** The registered type behind a written one: "list[Images]?" -> "Images"; it has the colour and the shape. */
export function typeInfo(specs: SpecIndex, type: string): TypeInfo | undefined {
  const bare = bareType(plainType(type));
  const inner = /^\w+\[(.*)\]$/.exec(bare)?.[1];
  return inner === undefined ? specs.types.get(bare) : typeInfo(specs, inner);
}

/** Whether a wire of this type stands for one wire a part. */
export function isBundle(specs: SpecIndex, type: string): boolean {
  return Object.keys(specs.types.get(bareType(type))?.parts ?? {}).length > 0;
}

/** The bundle that several types are parts of, or are themselves; null where they are of one type, or of none. */
export function bundleOf(specs: SpecIndex, types: Iterable<string>): string | null {
  const named = new Set([...types].map(bareType));
  if (named.size < 2) return null;
  for (const { name, parts } of specs.types.values()) {
    const own = new Set([name, ...Object.values(parts)]);
    if ([...named].every((type) => own.has(type))) return name;
  }
  return null;
}

/** Without the mark of what may be missing: "Noise?" -> "Noise". */
export function bareType(type: string): string {
  return type.replace(/\?$/, "");
}

/** Whether a node of this type draws random numbers from its own stream. */
export function draws(spec: NodeSpec | undefined): boolean {
  return spec === undefined || spec.body || spec.effects.includes("random");
}

import { EditError } from "./error";

/** The forms that names have in a file; the same as in hcpgraph/document/fileformat.py. */
const NAME = "[A-Za-z_][A-Za-z0-9_-]{0,63}";
const PORT_NAME = "[A-Za-z_][A-Za-z0-9_]{0,63}";
export const ID = new RegExp(`^${NAME}$`);
const PORT = new RegExp(`^${PORT_NAME}$`);
export const TYPE = new RegExp(`^(graph:${NAME}|[A-Za-z_][A-Za-z0-9_.-]{0,127})$`);
export const SOURCE = new RegExp(`^${NAME}\\.${PORT_NAME}$`);
export const TARGET = new RegExp(`^${NAME}\\.${PORT_NAME}(\\.(0|[1-9][0-9]{0,4}))?$`);
export const STREAM = new RegExp(`^@?${NAME}(/${NAME})*$`);

/** Throws "graph.error.name" unless the text may be the id of a node or of a subgraph. */
export function requireId(id: string): void {
  if (!ID.test(id)) throw new EditError("E_ID", "graph.error.name", { name: id });
}

/** Throws "graph.error.portName" unless the text may be the name of a port or of a promoted setting. */
export function requirePort(name: string): void {
  if (!PORT.test(name)) throw new EditError("E_ID", "graph.error.portName", { name });
}

/** A free id made from a type ("noise.offset" -> "offset", "offset_2" …) or from any words. */
export function freeId(from: string, taken: (id: string) => boolean): string {
  const last = from.split(/[.:]/).at(-1) ?? "";
  const cleaned = last.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 56) || "node";
  const base = ID.test(cleaned) ? cleaned : `_${cleaned}`;
  return numbered(base, taken);
}

/** A free port name: `name`, `name_2` … */
export function freePort(from: string, taken: (name: string) => boolean): string {
  const cleaned = from.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 56) || "port";
  return numbered(PORT.test(cleaned) ? cleaned : `_${cleaned}`, taken);
}

/** What a new node's id would be when one with a number is copied: "offset_2" -> "offset". */
export function withoutNumber(id: string): string {
  return id.replace(/_\d+$/, "") || id;
}

function numbered(base: string, taken: (name: string) => boolean): string {
  if (!taken(base)) return base;
  for (let number = 2; ; number += 1) if (!taken(`${base}_${number}`)) return `${base}_${number}`;
}

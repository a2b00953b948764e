import { merged } from "./merged";

/** All Chinese texts: a chunk of its own, loaded when the language is chosen. */
export default merged(import.meta.glob<{ default: Record<string, string> }>("./zh-CN/*.json", { eager: true }));

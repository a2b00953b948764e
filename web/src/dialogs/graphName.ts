/** Why a name cannot be that of a graph in the workspace: a key of the language files, or null. */
export type NameFault = "empty" | "long" | "signs" | "dots" | null;

const MAX = 200;
const FORBIDDEN = /[\\:*?"<>|]/;

function hasControl(text: string): boolean {
  return [...text].some((sign) => sign.charCodeAt(0) < 32 || sign.charCodeAt(0) === 127);
}

/** A name as it is stored: no ".json", no spaces or slashes at its ends. */
export function tidyName(text: string): string {
  return text
    .trim()
    .replace(/\.json$/i, "")
    .split("/")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join("/");
}

/** Whether a tidy name can be that of a file everywhere; the server has the last word. */
export function nameFault(name: string): NameFault {
  if (name === "") return "empty";
  if (name.length > MAX) return "long";
  if (FORBIDDEN.test(name) || hasControl(name)) return "signs";
  return name.split("/").some((part) => /^\.|\.$/.test(part)) ? "dots" : null;
}

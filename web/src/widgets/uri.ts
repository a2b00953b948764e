/** `root:relative` paths as the server writes them (hcpgraph/paths.py); the server alone decides what is legal. */

export interface Uri {
  root: string;
  /** Without slashes at its ends. */
  path: string;
}

const FORM = /^([a-z]+):(.*)$/s;

/** The parts of a path, or null for what is not `root:relative`. */
export function splitUri(uri: string): Uri | null {
  const match = FORM.exec(uri);
  if (!match) return null;
  return {
    root: match[1] ?? "",
    path: (match[2] ?? "")
      .trim()
      .replaceAll("\\", "/")
      .replace(/^\/+|\/+$/g, ""),
  };
}

export function joinUri(root: string, ...parts: string[]): string {
  return `${root}:${parts.filter((part) => part !== "").join("/")}`;
}

/** The folder that holds it: "data:a/b" -> "data:a", "data:a" -> "data:"; null for a root and for what is no path. */
export function parentOf(uri: string): string | null {
  const parts = splitUri(uri);
  if (!parts || parts.path === "") return null;
  const cut = parts.path.lastIndexOf("/");
  return joinUri(parts.root, cut < 0 ? "" : parts.path.slice(0, cut));
}

/** Its last part. */
export function nameOf(uri: string): string {
  return splitUri(uri)?.path.split("/").at(-1) ?? uri;
}

/** The folders from the root to it, for a row of crumbs: "data:a/b" -> ["data:", "data:a", "data:a/b"]. */
export function crumbsOf(uri: string): string[] {
  const parts = splitUri(uri);
  if (!parts) return [];
  const crumbs = [joinUri(parts.root)];
  const names = parts.path.split("/").filter(Boolean);
  for (const index of names.keys()) crumbs.push(joinUri(parts.root, names.slice(0, index + 1).join("/")));
  return crumbs;
}

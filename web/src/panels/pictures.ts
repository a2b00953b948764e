import { api, type ThumbSize } from "../api/client";
import type { Artifact } from "../api/schema";

/** A picture of the gallery. */
export interface Picture {
  uri: string;
  /** Unix seconds: previews are written again under the same name. */
  t: number;
  /** What changes with its content, where the server was asked. */
  stamp?: string | undefined;
  node?: string;
  step?: number;
  width?: number;
  height?: number;
  /** It was there already and was not made by this run. */
  cached?: boolean;
  /** Some of its values were infinite or not numbers; it is black there. */
  notFinite?: boolean;
  size?: number;
}

/** Pictures among the files of a run, in order; one that was written again counts once, as it is now. */
export function picturesOf(artifacts: readonly Artifact[]): Picture[] {
  const found = new Map<string, Picture>();
  for (const { type, uri, t, node, step, width, height, cached, not_finite } of artifacts) {
    if (type !== "image") continue;
    found.delete(uri);
    found.set(uri, {
      uri,
      t,
      node,
      ...(typeof step === "number" && { step }),
      ...(typeof width === "number" && { width }),
      ...(typeof height === "number" && { height }),
      ...(cached === true && { cached }),
      ...(not_finite === true && { notFinite: true }),
    });
  }
  return [...found.values()];
}

/** "out:previews/a.png" -> "a.png". */
export function nameOf(uri: string): string {
  return uri.slice(Math.max(uri.lastIndexOf("/"), uri.indexOf(":")) + 1);
}

export function thumbOf({ uri, stamp, t }: Picture, size: ThumbSize): string {
  return api.thumbUrl(uri, size, stamp ?? t);
}

export function fullOf({ uri, stamp, t }: Picture): string {
  return api.shownUrl(uri, stamp ?? t);
}

const MOST_FOLDERS = 300;
const MOST_PICTURES = 5000;

/** All pictures below `out:`, the newest first. */
export async function allPictures(signal: AbortSignal): Promise<Picture[]> {
  const found: Picture[] = [];
  const folders = ["out:"];
  for (let at = 0; at < folders.length && at < MOST_FOLDERS && found.length < MOST_PICTURES; at++) {
    for (const entry of await api.files(folders[at] ?? "out:", { signal })) {
      if (entry.kind === "folder") folders.push(entry.uri);
      else if (entry.kind === "image") found.push({ uri: entry.uri, t: entry.modified, size: entry.size });
    }
  }
  return found.sort((a, b) => b.t - a.t);
}

/** Where an arrow key leads in a grid; null: it is no such key, or there is nothing. */
export function gridMove(key: string, at: number, count: number, columns: number): number | null {
  const last = count - 1;
  const to =
    key === "ArrowRight"
      ? at + 1
      : key === "ArrowLeft"
        ? at - 1
        : key === "ArrowDown"
          ? at + columns
          : key === "ArrowUp"
            ? at - columns
            : key === "Home"
              ? 0
              : key === "End"
                ? last
                : key === "PageDown"
                  ? Math.min(last, at + 3 * columns)
                  : key === "PageUp"
                    ? Math.max(at % columns, at - 3 * columns)
                    : null;
  return to === null || to < 0 || to > last ? null : to;
}

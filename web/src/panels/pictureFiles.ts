import { api, type ThumbSize } from "../api/client";
import type { Picture } from "./pictures";

/** Pictures as files: their names and addresses, and all that lie in the workspace. */

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

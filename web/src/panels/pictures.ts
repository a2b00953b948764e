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

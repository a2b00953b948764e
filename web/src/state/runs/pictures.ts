import type { PictureFrame } from "../../api/schema";

/** Object URLs of the pictures that nodes show while a run goes on: one a node, freed when the next one comes. */
export class Pictures {
  private readonly urls = new Map<string, string>();

  put(frame: PictureFrame): void {
    const bytes = new Uint8Array(frame.data);
    this.free(frame.node);
    this.urls.set(frame.node, URL.createObjectURL(new Blob([bytes], { type: frame.format })));
  }

  clear(): void {
    for (const node of [...this.urls.keys()]) this.free(node);
  }

  /** A copy for a store: a new object each time, so that its readers notice. */
  all(): ReadonlyMap<string, string> {
    return new Map(this.urls);
  }

  private free(node: string): void {
    const url = this.urls.get(node);
    if (url === undefined) return;
    URL.revokeObjectURL(url);
    this.urls.delete(node);
  }
}

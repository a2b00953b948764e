import type { PictureFrame } from "../../api/schema";

/** Object URLs of the pictures that nodes show while a run goes on: one a node, freed when the next one comes. */
export class Pictures {
  private readonly urls = new Map<string, string>();
  private merged: Record<"kept" | "all", Readonly<Record<string, string>>> | null = null;

  put(frame: PictureFrame): void {
    const bytes = new Uint8Array(frame.data);
    this.free(frame.node);
    this.merged = null;
    this.urls.set(frame.node, URL.createObjectURL(new Blob([bytes], { type: frame.format })));
  }

  clear(): void {
    this.merged = null;
    for (const node of [...this.urls.keys()]) this.free(node);
  }

  /** Addresses by node, in front of those that the server keeps; the same object until one of them changes. */
  over(kept: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    if (this.merged?.kept !== kept) this.merged = { kept, all: { ...kept, ...Object.fromEntries(this.urls) } };
    return this.merged.all;
  }

  private free(node: string): void {
    const url = this.urls.get(node);
    if (url === undefined) return;
    URL.revokeObjectURL(url);
    this.urls.delete(node);
  }
}

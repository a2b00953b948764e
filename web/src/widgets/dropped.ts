/** Files and folders that somebody dropped or chose. */
export interface Dropped {
  files: File[];
  /** Name of the folder, if one folder was given; its files then carry their paths below it. */
  folder: string | null;
}

/** A file with the path that `webkitRelativePath` would have: dropped files do not come with one. */
function withPath(file: File, path: string): File {
  Object.defineProperty(file, "webkitRelativePath", { value: path, configurable: true });
  return file;
}

function readAll(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  // one call gives at most a hundred entries; an empty answer is the end
  const next = (found: FileSystemEntry[]): Promise<FileSystemEntry[]> =>
    new Promise((resolve, reject) =>
      reader.readEntries((some) => resolve(some.length === 0 ? found : next([...found, ...some])), reject),
    );
  return next([]);
}

async function walk(entry: FileSystemEntry, path: string): Promise<File[]> {
  const here = `${path}${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [withPath(file, here)];
  }
  const found: File[] = [];
  for (const child of await readAll((entry as FileSystemDirectoryEntry).createReader())) {
    found.push(...(await walk(child, `${here}/`)));
  }
  return found;
}

/** Hidden files (.DS_Store, Thumbs.db) are of no use to anybody. */
function useful(file: File): boolean {
  return !file.name.startsWith(".") && !/^(thumbs\.db|desktop\.ini)$/i.test(file.name);
}

/** What lies in a drop; a single folder is read with everything below it. Call it in the event itself. */
export async function fromDrop(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // entries are gone after the first await
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const folders = entries.filter((entry) => entry?.isDirectory);
  if (folders.length === 0) return { files: [...transfer.files].filter(useful), folder: null };
  const only = entries.length === 1 ? folders[0] : undefined;
  const files: File[] = [];
  for (const entry of entries) {
    // several folders become one, with each below it
    if (entry) files.push(...(await walk(entry, only ? "" : "dropped/")));
  }
  return { files: files.filter(useful), folder: only?.name ?? "dropped" };
}

/** What a file input holds. */
export function fromInput(input: HTMLInputElement): Dropped {
  const files = [...(input.files ?? [])].filter(useful);
  const path = files[0]?.webkitRelativePath ?? "";
  return { files, folder: path.includes("/") ? (path.split("/")[0] ?? null) : null };
}

import { describe, expect, it } from "vitest";
import type { FileEntry } from "../api/schema";
import { fromDrop, fromInput } from "./dropped";
import { fitting, resultOf } from "./FilePicker";
import { crumbsOf, joinUri, nameOf, parentOf, splitUri } from "./uri";

function entry(uri: string, kind: FileEntry["kind"]): FileEntry {
  return { name: nameOf(uri), uri, kind, size: 1, modified: 0 };
}

describe("paths", () => {
  it("are taken apart and put together", () => {
    expect(splitUri("data:a\\b/")).toEqual({ root: "data", path: "a/b" });
    expect(splitUri("/etc/passwd")).toBeNull();
    expect(parentOf("data:a/b")).toBe("data:a");
    expect(parentOf("data:a")).toBe("data:");
    expect(parentOf("data:")).toBeNull();
    expect(nameOf("data:a/猫.png")).toBe("猫.png");
    expect(joinUri("out", "", "x")).toBe("out:x");
    expect(crumbsOf("data:a/b")).toEqual(["data:", "data:a", "data:a/b"]);
  });
});

describe("the file picker", () => {
  const entries = [entry("data:sub", "folder"), entry("data:A.PNG", "image"), entry("data:b.txt", "text")];
  const names = (found: FileEntry[]) => found.map(({ name }) => name);

  it("shows folders always, and files by their ending in any case", () => {
    expect(names(fitting(entries, "file", [".png"]))).toEqual(["sub", "A.PNG"]);
    expect(names(fitting(entries, "folder", []))).toEqual(["sub"]);
    expect(names(fitting(entries, "any", []))).toEqual(["sub", "A.PNG", "b.txt"]);
  });

  it.each([
    ["a file where a file is asked", { kind: "file", chosen: entries[1] }, "data:A.PNG"],
    ["no folder where a file is asked", { kind: "file", chosen: entries[0] }, null],
    ["the chosen folder", { kind: "folder", chosen: entries[0] }, "data:sub"],
    ["no root as a folder", { kind: "folder" }, null],
    ["the folder it is in", { kind: "any", folder: "data:sub" }, "data:sub"],
    ["a new name to write to", { write: true, kind: "file", folder: "out:run", name: "x.png" }, "out:run/x.png"],
    ["a new name below the chosen folder", { write: true, kind: "file", chosen: entries[0], name: "x" }, "data:sub/x"],
    ["nothing to write to without a name", { write: true, kind: "file", folder: "out:run" }, null],
  ] as const)("gives %s", (_, part, result) => {
    const state = { write: false, folder: "data:", chosen: null, name: "", ...part };
    expect(resultOf({ ...state, chosen: state.chosen ?? null })).toBe(result);
  });
});

/** As browsers give dropped folders: at most `most` entries a call, then none. */
function folderEntry(name: string, children: FileSystemEntry[], most = 2): FileSystemEntry {
  const createReader = () => {
    let at = 0;
    return {
      readEntries: (done: (some: FileSystemEntry[]) => void) => {
        at += most;
        done(children.slice(at - most, at));
      },
    };
  };
  return { name, isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry;
}
function fileEntry(name: string): FileSystemEntry {
  const file = (done: (file: File) => void) => done(new File(["x"], name));
  return { name, isFile: true, isDirectory: false, file } as unknown as FileSystemEntry;
}
function transfer(entries: FileSystemEntry[], files: File[] = []): DataTransfer {
  const items = entries.map((one) => ({ kind: "file", webkitGetAsEntry: () => one }));
  return { items, files } as unknown as DataTransfer;
}

describe("a drop", () => {
  it("of one folder is read to the bottom, without hidden files", async () => {
    const deep = folderEntry("cats", [
      fileEntry("a.png"),
      fileEntry(".DS_Store"),
      folderEntry("more", [fileEntry("b.png"), fileEntry("b.txt"), fileEntry("c.png")]),
    ]);
    const { files, folder } = await fromDrop(transfer([deep]));
    expect(folder).toBe("cats");
    expect(files.map((file) => file.webkitRelativePath)).toEqual([
      "cats/a.png",
      "cats/more/b.png",
      "cats/more/b.txt",
      "cats/more/c.png",
    ]);
  });

  it("of several folders is one folder with each below it", async () => {
    const two = [folderEntry("a", [fileEntry("1.png")]), folderEntry("b", [fileEntry("1.png")])];
    const { files, folder } = await fromDrop(transfer(two));
    expect(files.map((file) => file.webkitRelativePath)).toEqual([`${folder}/a/1.png`, `${folder}/b/1.png`]);
  });

  it("of files is files", async () => {
    const file = new File(["x"], "a.png");
    expect(await fromDrop(transfer([fileEntry("a.png")], [file]))).toEqual({ files: [file], folder: null });
  });

  it("a chosen folder has the name of its first part", () => {
    const file = new File(["x"], "a.png");
    Object.defineProperty(file, "webkitRelativePath", { value: "cats/a.png" });
    expect(fromInput({ files: [file] } as unknown as HTMLInputElement).folder).toBe("cats");
  });
});

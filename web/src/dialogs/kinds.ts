import type { Capabilities, GraphFile, Json, Problem } from "../api/schema";

/** What each dialog is given and what it answers; `null` is always "closed without an answer". */
export interface DialogKinds {
  confirm: {
    props: { title: string; text: string; confirm: string; danger?: boolean };
    result: true | null;
  };
  /** A name for a file of the workspace. `taken` names are refused unless the name is `current`. */
  saveAs: { props: { name: string }; result: { name: string; etag: string | null } | null };
  /** The file in the workspace is not the one that was opened. */
  conflict: { props: { name: string }; result: "theirs" | "mine" | "saveAs" | null };
  /**
   * What a graph would read, write and load. `purpose` run: asked before the first run of one from elsewhere; write:
   * before a run of any that writes where it may not yet. The answer to both is where this run may write besides.
   */
  import: {
    props: { graph: GraphFile; capabilities: Capabilities; purpose: "open" | "run" | "write" };
    result: "open" | "readOnly" | { allowWrite: string[] } | null;
  };
  /** Checkpoints of these trainings were made with other code or versions. */
  begun: { props: { problems: Problem[] }; result: "resume" | "anew" | null };
  templates: { props: Record<never, never>; result: true | null };
  /** Nodes become a subgraph: which of their settings its node shows. `usual` ones are listed at once. */
  collapse: {
    props: { settings: readonly { address: string; node: string; label: string; value: Json; usual: boolean }[] };
    result: { promote: string[] } | null;
  };
  trainOnMyPictures: { props: Record<never, never>; result: true | null };
  shortcuts: { props: Record<never, never>; result: null };
  about: { props: Record<never, never>; result: null };
}

export type DialogKind = keyof DialogKinds;

/** What every dialog component gets. */
export type DialogProps<K extends DialogKind> = DialogKinds[K]["props"] & {
  onClose: (result: DialogKinds[K]["result"]) => void;
};

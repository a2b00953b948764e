import { type ComponentType, lazy, Suspense } from "react";
import { addTexts } from "../i18n";
import english from "../i18n/en/dialogs.json";
import { type OpenDialog, useSession } from "../state/session";
import { AboutDialog } from "./AboutDialog";
import { BegunDialog } from "./BegunDialog";
import { CollapseDialog } from "./CollapseDialog";
import { ConfirmDialog } from "./ConfirmDialog";
import { ConflictDialog } from "./ConflictDialog";
import { ImportDialog } from "./ImportDialog";
import type { DialogKind, DialogKinds, DialogProps } from "./kinds";
import { SaveAsDialog } from "./SaveAsDialog";
import { ShortcutsDialog } from "./ShortcutsDialog";

addTexts(english);

const TrainDialog = lazy(() => import("./TrainDialog").then(({ TrainDialog }) => ({ default: TrainDialog })));
const TemplatesDialog = lazy(() =>
  import("./TemplatesDialog").then(({ TemplatesDialog }) => ({ default: TemplatesDialog })),
);

const DIALOGS: { [K in DialogKind]: ComponentType<DialogProps<K>> } = {
  confirm: ConfirmDialog,
  saveAs: SaveAsDialog,
  conflict: ConflictDialog,
  import: ImportDialog,
  begun: BegunDialog,
  templates: TemplatesDialog,
  collapse: CollapseDialog,
  trainOnMyPictures: TrainDialog,
  shortcuts: ShortcutsDialog,
  about: AboutDialog,
};

/** The dialog that the session asks for, once a page. */
export function Dialogs() {
  const dialog = useSession((state) => state.dialog);
  return dialog ? <Suspense fallback={null}>{show(dialog)}</Suspense> : null;
}

function show<K extends DialogKind>(dialog: OpenDialog<K>) {
  // a kind and its props come together, which a table of components cannot say
  const Component = DIALOGS[dialog.kind] as unknown as ComponentType<DialogKinds[K]["props"] & { onClose: unknown }>;
  return <Component key={dialog.id} {...dialog.props} onClose={dialog.onClose} />;
}

import type { Json, SettingSchema, WidgetHint } from "../api/schema";
import type { BodyPath } from "../graph/body";

/** Where a value lies, for widgets that ask the server about it. */
export interface Place {
  path: BodyPath;
  node: string;
  setting: string;
}

/** What every widget gets. It shows `value` and calls `onChange`; it keeps nothing that is in the graph. */
export interface WidgetProps {
  /** Id of the control that the label points to. */
  id: string;
  /** The label's text, for parts of a widget that need a name of their own. */
  label: string;
  /** Id of the label's element, for widgets that are a group of controls. */
  labelledBy: string;
  /** Ids of help and error texts. */
  describedBy?: string;
  value: Json;
  /** Without its null. */
  schema: SettingSchema;
  hint: WidgetHint;
  /** Nothing written means null. */
  nullable: boolean;
  /** What null stands for, where the setting has a word such as `auto`. */
  word?: string | undefined;
  invalid: boolean;
  disabled: boolean;
  /** Inside a node on the canvas: one line where possible. */
  compact: boolean;
  place: Place | null;
  onChange: (value: Json) => void;
  /** A gesture is over (drag, typing): the next change is a new undo step. */
  onEnd: () => void;
}

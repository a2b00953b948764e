import { type ComponentType, lazy, Suspense } from "react";
import { BoolField } from "./BoolField";
import { ColorField } from "./ColorField";
import { ConstField } from "./ConstField";
import { EnumField } from "./EnumField";
import { JsonField } from "./JsonField";
import type { WidgetKind } from "./kind";
import { NumberField } from "./NumberField";
import { NumbersField } from "./NumbersField";
import { PairsField } from "./PairsField";
import { PathField } from "./PathField";
import { PromptField } from "./PromptField";
import { SeedField } from "./SeedField";
import { SliderField } from "./SliderField";
import { TextAreaField } from "./TextAreaField";
import { TextField } from "./TextField";
import { TextsField } from "./TextsField";
import type { WidgetProps } from "./types";

// These are edited beside the graph alone: a node shows them as texts.
const ChoicesField = lazy(() => import("./ChoicesField").then(({ ChoicesField }) => ({ default: ChoicesField })));
const FormulaField = lazy(() => import("./FormulaField").then(({ FormulaField }) => ({ default: FormulaField })));
const LayersField = lazy(() => import("./LayersField").then(({ LayersField }) => ({ default: LayersField })));

/** Every kind of widget but "optional", which is one of these behind a switch. */
const WIDGETS: Record<Exclude<WidgetKind, "optional">, ComponentType<WidgetProps>> = {
  slider: SliderField,
  number: NumberField,
  integer: NumberField,
  bool: BoolField,
  enum: EnumField,
  const: ConstField,
  text: TextField,
  color: ColorField,
  textarea: TextAreaField,
  prompt: PromptField,
  seed: SeedField,
  path: PathField,
  model: PathField,
  layers: LayersField,
  formula: FormulaField,
  numbers: NumbersField,
  choices: ChoicesField,
  texts: TextsField,
  pairs: PairsField,
  json: JsonField,
};

export function Widget({ kind, ...props }: WidgetProps & { kind: WidgetKind }) {
  const Component = kind === "optional" ? JsonField : WIDGETS[kind];
  return (
    <Suspense fallback={null}>
      <Component {...props} />
    </Suspense>
  );
}

import "./tokens.css";
import "./base.css";

// Not here, so that the first page goes without them: ./Checkbox, ./Dialog, ./Toast.
export { announce } from "./announce";
export { Badge, EmptyState, type Tone } from "./Badge";
export { Button, type ButtonProps, type ButtonVariant, IconButton, type IconButtonProps } from "./Button";
export { categoryColour, categoryOf } from "./category";
export { cx } from "./cx";
export { Field, type FieldProps } from "./Field";
export { Kbd, keyParts } from "./Kbd";
export {
  ContextMenu,
  Menu,
  MenuAt,
  MenuCheckItem,
  MenuItem,
  type MenuItemProps,
  MenuLabel,
  MenuRadio,
  MenuSeparator,
  MenuSub,
} from "./Menu";
export { Popover, type PopoverProps } from "./Popover";
export { PortShape, type PortShapeProps, typeColour } from "./PortShape";
export { Progress, Spinner } from "./Progress";
export { Section, type SectionProps } from "./Section";
export { Segments, type SegmentsProps } from "./Segments";
export { Select, type SelectOption, type SelectProps } from "./Select";
export { Slider, type SliderProps } from "./Slider";
export { Splitter, type SplitterProps } from "./Splitter";
export { Switch } from "./Switch";
export { type TabItem, TabPanel, Tabs, type TabsProps } from "./Tabs";
export { TextArea, type TextAreaProps, TextField, type TextFieldProps } from "./TextField";
export { Tooltip, TooltipProvider, type TooltipSide } from "./Tooltip";
export { VisuallyHidden } from "./VisuallyHidden";

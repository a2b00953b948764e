import "./tokens.css";
import "./base.css";

// Not here, so that the first page goes without them: ./Checkbox, ./Dialog, ./Toast.
export { announce } from "./announce";
export { Badge, EmptyState, type Tone } from "./Badge";
export { Button, IconButton } from "./Button";
export { categoryColour, categoryOf } from "./category";
export { cx } from "./cx";
export { Field } from "./Field";
export { Kbd, keyParts } from "./Kbd";
export {
  ContextMenu,
  Menu,
  MenuAt,
  MenuCheckItem,
  MenuItem,
  MenuLabel,
  MenuRadio,
  MenuSeparator,
  MenuSub,
} from "./Menu";
export { Popover } from "./Popover";
export { PortShape, typeColour } from "./PortShape";
export { Progress, Spinner } from "./Progress";
export { Section } from "./Section";
export { Segments } from "./Segments";
export { Select } from "./Select";
export { Slider } from "./Slider";
export { Splitter } from "./Splitter";
export { Switch } from "./Switch";
export { type TabItem, TabPanel, Tabs } from "./Tabs";
export { TextArea, TextField } from "./TextField";
export { Tooltip, TooltipProvider } from "./Tooltip";
export { VisuallyHidden } from "./VisuallyHidden";

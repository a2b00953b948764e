/** What other parts of the editor take from the widgets: the field of one setting. */
export { SettingField } from "./SettingField";

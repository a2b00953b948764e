/** Every edit of a document: pure functions of (graph, path, …) that throw EditError when they cannot be made. */

export { addFrame, addNote, editFrame, editNote, removeFrame, removeNote } from "./annotations";
export { collapse } from "./collapse";
export { setMeta, setRun } from "./document";
export { expand } from "./expand";
export { demote, demoteOutput, promote, promoteOutput, renameInterface } from "./interface";
export {
  addNode,
  moveInto,
  removeKeepingWire,
  removeNodes,
  renameNode,
  setMode,
  setStream,
  setTitle,
} from "./nodes";
export { copy, duplicate, paste } from "./paste";
export { moveNodes, placeNodes, resizeNode } from "./places";
export { resetSetting, setInterfaceValue, setSetting } from "./settings";
export { addReroute, splice, spliceable } from "./splice";
export { connect, disconnect, reconnect, reorderWire } from "./wires";

import { beforeEach, expect, test, vi } from "vitest";
import { followTabs, useSession } from "./session";
import { useTabs } from "./tabs";

beforeEach(() => useSession.setState(useSession.getInitialState()));

test("the same selection is no change; a selection of wires and nodes is one state", () => {
  const { setSelection } = useSession.getState();
  setSelection(["a"], ["b.in"]);
  const before = useSession.getState().selection;
  const heard = vi.fn();
  const stop = useSession.subscribe(heard);
  setSelection(["a"], ["b.in"]);
  expect(heard).not.toHaveBeenCalled();
  setSelection(["a"]);
  stop();
  expect(useSession.getState().selection).not.toBe(before);
  expect(useSession.getState().selectedEdges.size).toBe(0);
});

test("a dialog answers once; one that another replaces ends without an answer", async () => {
  const { openDialog } = useSession.getState();
  const first = openDialog("saveAs", { name: "a" });
  const second = openDialog("confirm", { title: "", text: "", confirm: "" });
  expect(await first).toBeNull();
  const open = useSession.getState().dialog;
  expect(open?.kind).toBe("confirm");
  open?.onClose(true);
  expect(await second).toBe(true);
  expect(useSession.getState().dialog).toBeNull();
});

test("the late answer of a replaced dialog does not close the one that is open", () => {
  const { openDialog } = useSession.getState();
  void openDialog("saveAs", { name: "a" });
  const old = useSession.getState().dialog;
  void openDialog("confirm", { title: "", text: "", confirm: "" });
  old?.onClose(null);
  expect(useSession.getState().dialog?.kind).toBe("confirm");
});

test("a jump selects the node in its body and can be wished for twice", () => {
  const { focusNode } = useSession.getState();
  useSession.setState({ view: "form" });
  focusNode("train", "loss");
  const { focus, selection, view } = useSession.getState();
  expect([focus?.node, focus?.port, [...selection], view]).toEqual(["train", "loss", ["train"], "graph"]);
  focusNode("train", "loss");
  expect(useSession.getState().focus?.at).toBeGreaterThan(focus?.at ?? 0);
});

test("another tab starts with nothing selected", () => {
  const stop = followTabs();
  useSession.getState().setSelection(["a"]);
  useTabs.getState().openNew();
  stop();
  expect(useSession.getState().selection.size).toBe(0);
});

test("what is said again replaces what was said, and only the last few stay", () => {
  const { toast, dismiss } = useSession.getState();
  for (const title of ["1", "2", "3", "1", "4", "5"]) toast("info", title);
  const titles = () => useSession.getState().toasts.map((one) => one.title);
  expect(titles()).toEqual(["3", "1", "4", "5"]);
  dismiss(useSession.getState().toasts[0]?.id ?? "");
  expect(titles()).toEqual(["1", "4", "5"]);
});

import { render, waitFor } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { api } from "../api/client";
import { refreshStamps, useStamp } from "./stamps";

function Shown({ uri, told }: { uri: string; told: number }) {
  const stamp = useStamp(uri, told);
  return <p>{stamp === undefined ? "unknown" : (stamp ?? "gone")}</p>;
}
afterEach(() => void vi.restoreAllMocks());

it("asks once for all that is shown, again when something was written, and for nothing that is gone", async () => {
  let now = "1";
  const asked = vi
    .spyOn(api, "stamps")
    .mockImplementation(async (uris) =>
      Object.fromEntries(uris.map((uri) => [uri, uri === "out:gone.png" ? null : `${uri}@${now}`])),
    );
  const page = (told: number) => (
    <>
      <Shown uri="out:a.png" told={told} />
      <Shown uri="out:gone.png" told={0} />
    </>
  );
  const { container, rerender, unmount } = render(page(0));
  expect(container.textContent).toBe("unknownunknown");
  await waitFor(() => expect(container.textContent).toBe("out:a.png@1gone"));
  expect(asked.mock.calls.map(([uris]) => uris)).toEqual([["out:a.png", "out:gone.png"]]);
  now = "2";
  rerender(page(1));
  await waitFor(() => expect(container.textContent).toBe("out:a.png@2gone"));
  now = "3";
  refreshStamps();
  await waitFor(() => expect(container.textContent).toBe("out:a.png@3gone"));
  unmount();
  asked.mockClear();
  refreshStamps();
  await new Promise((done) => setTimeout(done, 120));
  expect(asked).not.toHaveBeenCalled();
});

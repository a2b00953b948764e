import { fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "../i18n";
import { ErrorBoundary } from "./ErrorBoundary";

let broken = true;
function Part() {
  if (broken) throw new Error("no such port");
  return <p>canvas</p>;
}
beforeEach(() => {
  broken = true;
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => document.body.replaceChildren());

test("says what broke, keeps the rest, and shows the part again when asked", () => {
  render(
    <>
      <ErrorBoundary part="Canvas">
        <Part />
      </ErrorBoundary>
      <p>inspector</p>
    </>,
  );
  expect(screen.getByRole("alert").textContent).toContain("no such port");
  expect(screen.getByText("inspector")).toBeDefined();
  broken = false;
  fireEvent.click(screen.getByRole("button", { name: "Show it again" }));
  expect(screen.getByText("canvas")).toBeDefined();
});

test("an overlay that breaks is told of and shows nothing", () => {
  const heard = vi.fn();
  render(
    <ErrorBoundary onError={heard}>
      <Part />
    </ErrorBoundary>,
  );
  expect(screen.queryByRole("alert")).toBeNull();
  expect(heard).toHaveBeenCalledWith(expect.objectContaining({ message: "no such port" }));
});

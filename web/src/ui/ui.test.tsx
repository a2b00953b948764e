import { fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, expect, test } from "vitest";
import { announce, keyParts, Splitter } from ".";

afterEach(() => document.body.replaceChildren());

test("keys are written as they are called", () => {
  expect(keyParts("Ctrl+Shift+z")).toEqual(["Ctrl", "Shift", "Z"]);
  expect(keyParts("Ctrl++")).toEqual(["Ctrl", "+"]);
  expect(keyParts("Alt+ArrowLeft")).toEqual(["Alt", "←"]);
  expect(keyParts("/")).toEqual(["/"]);
});

function Panel({ reverse = false }) {
  const [value, setValue] = useState(200);
  return (
    <Splitter
      orientation="vertical"
      value={value}
      min={100}
      max={300}
      onChange={setValue}
      label="Size"
      reverse={reverse}
    />
  );
}

test("a splitter moves by arrow keys and stops at its ends", () => {
  render(<Panel />);
  const splitter = screen.getByRole("separator", { name: "Size" });
  const now = () => splitter.getAttribute("aria-valuenow");
  fireEvent.keyDown(splitter, { key: "ArrowRight" });
  expect(now()).toBe("216");
  fireEvent.keyDown(splitter, { key: "ArrowRight", shiftKey: true });
  fireEvent.keyDown(splitter, { key: "ArrowRight", shiftKey: true });
  expect(now()).toBe("300");
  fireEvent.keyDown(splitter, { key: "Home" });
  expect(now()).toBe("100");
});

test("a splitter of a panel on the right grows to the left", () => {
  render(<Panel reverse />);
  const splitter = screen.getByRole("separator", { name: "Size" });
  fireEvent.keyDown(splitter, { key: "ArrowLeft" });
  expect(splitter.getAttribute("aria-valuenow")).toBe("216");
});

test("the same sentence is announced again", () => {
  announce("Connected");
  const region = screen.getByRole("status");
  const first = region.textContent;
  announce("Connected");
  expect(region.textContent).not.toBe(first);
  expect(region.textContent?.trim()).toBe("Connected");
});

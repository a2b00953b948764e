import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import Markdown from "./Markdown";

const HOSTILE = `
# Title

**bold** and [a link](https://example.org/x) and [a trap](javascript:alert(1)) and [data](data:text/html,x)

![tracker](https://evil.example/pixel.png) <img src="https://evil.example/a.png" onerror="alert(1)">

<script>alert(1)</script> <iframe src="https://evil.example"></iframe> <svg onload="alert(1)"></svg>

<form action="https://evil.example"><input name="token"></form>
`;

test("a note shows text and links, and fetches or runs nothing", () => {
  const { container } = render(<Markdown text={HOSTILE} />);
  expect(screen.getByRole("heading", { name: "Title" })).toBeTruthy();
  expect(container.querySelector("strong")?.textContent).toBe("bold");
  const tags = new Set([...container.querySelectorAll("*")].map((element) => element.tagName.toLowerCase()));
  for (const tag of ["img", "script", "iframe", "svg", "form", "input", "style", "link"])
    expect(tags).not.toContain(tag);
  const links = [...container.querySelectorAll("a")];
  expect(links.map((link) => link.getAttribute("href") || null)).toEqual(["https://example.org/x", null, null]);
  expect(links[0]?.getAttribute("rel")).toContain("noreferrer");
  const attributes = [...container.querySelectorAll("*")].flatMap((element) => element.getAttributeNames());
  expect(attributes.filter((name) => name.startsWith("on"))).toEqual([]);
});

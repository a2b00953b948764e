import Markdown, { type Components } from "react-markdown";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";

/** Texts come with packs and with graphs of strangers: no HTML, and no picture is fetched from anywhere. */
const SCHEMA = { ...defaultSchema, tagNames: defaultSchema.tagNames?.filter((name) => name !== "img") };

const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
};

export function HelpMarkdown({ text }: { text: string }) {
  return (
    <Markdown rehypePlugins={[[rehypeSanitize, SCHEMA]]} components={COMPONENTS} skipHtml>
      {text}
    </Markdown>
  );
}

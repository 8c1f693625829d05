import { namedSettings } from "./paths.ts";

/** docs/configuration.md, from the settings' table. */
export function configMarkdown(): string {
  const rows = namedSettings().map(
    ({ key, flag, variable, setting }) =>
      `| \`${key}\` | ${cell(setting.doc)} | ${cell(setting.kind)} | ${defaultText(setting.fallback.text)} | \`--${flag}\`<br>\`${variable}\` |`,
  );
  return `<!-- Generated from src/config/settings.ts; do not edit. -->
# Configuration

A flag counts more than an environment variable, that more than a file, that more than the default.
\`drover config show --origins\` prints what counts and why.

The file is TOML: the one that \`--config\` or \`DROVER_CONFIG\` names, else \`profiles/PROFILE.toml\` in the data directory.
A key in a table is written \`[limits]\` and \`maxRequestBytes = "8MB"\`, or \`limits.maxRequestBytes = "8MB"\`. An unknown key
is an error. Sizes are numbers with \`B\`, \`KB\`, \`MB\`, \`GB\`, \`TB\` (powers of 1,000) or \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\` (powers of
1,024), durations with \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`; both are texts in quotes.

| Setting | Meaning | Value | Default | Flag and variable |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

function defaultText(text: string): string {
  if (text === "") return "none";
  return /[ `]/.test(text) ? cell(text) : `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

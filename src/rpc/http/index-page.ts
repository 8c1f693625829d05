import { formatBytes, formatDuration } from "../../config/units.ts";
import type { Identity } from "../../lifecycle/identity.ts";
import type { DriverState } from "../../lifecycle/readiness.ts";
import type { PoolStatus } from "../../scheduling/model.ts";
import type { MemoryStatus } from "../handlers/driver.ts";

export interface IndexFacts {
  readonly identity: Identity;
  readonly state: DriverState;
  readonly pools: readonly PoolStatus[];
  readonly memory: MemoryStatus;
  readonly datasets: number;
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1.5rem .2rem 0; vertical-align: top; }
th { font-weight: 600; } code { font-size: .9em; overflow-wrap: anywhere; }`;

/** What this is and how it is. Without the token: no more than a port scan tells anyway. */
export function renderIndex(facts: IndexFacts, authenticated: boolean): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Drover</title><style>${STYLE}</style></head>
<body>
<h1>Drover</h1>
<p>A remote driver for BI front-ends. It loads sources into columnar datasets and answers aggregate queries over gRPC,
gRPC-Web and Connect (JSON) on this port. It is <strong>${escapeHtml(facts.state)}</strong>.</p>
${authenticated ? details(facts) : "<p>Callers show the token of the driver as <code>authorization: Bearer TOKEN</code>; with it this page says more.</p>"}
<h2>Here</h2>
<table>
${row("<code>/healthz</code>", "alive, as long as the process is")}
${row("<code>/readyz</code>", "200 while work is taken, else 503")}
${row("<code>/metrics</code>", "metrics for Prometheus, with the token")}
${row("<code>POST /drover.v1.QueryService/Query</code>", "a query in JSON, with the token")}
</table>
</body>
</html>
`;
}

function details({ identity, pools, memory, datasets }: IndexFacts): string {
  const uptime = Math.floor((Date.now() - identity.startTime.getTime()) / 60_000) * 60_000;
  return `<h2>This driver</h2>
<table>
${row("Version", escapeHtml(`${identity.version} (${identity.apiVersion})`))}
${row("Profile", escapeHtml(identity.profile))}
${row("Instance", `<code>${escapeHtml(identity.instanceId)}</code>`)}
${row("Up for", escapeHtml(uptime === 0 ? "less than a minute" : formatDuration(uptime)))}
${row("Datasets", String(datasets))}
${row("Memory", escapeHtml(`${formatBytes(memory.process)} of ${formatBytes(memory.budget)}; datasets ${formatBytes(memory.resident)} of ${formatBytes(memory.residentBudget)}`))}
${pools.map((pool) => row(escapeHtml(`Pool ${pool.name}`), `${pool.running} of ${pool.size} run, ${pool.queued} wait`)).join("\n")}
</table>`;
}

function row(name: string, value: string): string {
  return `<tr><th scope="row">${name}</th><td>${value}</td></tr>`;
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

import type { Readiness } from "../../lifecycle/readiness.ts";
import type { Metrics } from "../../observability/metrics.ts";
import type { Page } from "./http-stack.ts";
import { type IndexFacts, renderIndex } from "./index-page.ts";

const TEXT = "text/plain; charset=utf-8";

export interface PagesOptions {
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  index(): IndexFacts;
}

/** What the port answers beside RPCs. */
export function createPages({ readiness, metrics, index }: PagesOptions): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ["/healthz", { authenticated: false, render: () => ({ status: 200, contentType: TEXT, body: "alive\n" }) }],
    [
      "/readyz",
      {
        authenticated: false,
        render: () => ({ status: readiness.serving ? 200 : 503, contentType: TEXT, body: `${readiness.state}\n` }),
      },
    ],
    [
      "/metrics",
      {
        authenticated: true,
        render: () => ({
          status: 200,
          contentType: "text/plain; version=0.0.4; charset=utf-8",
          body: metrics.expose(),
        }),
      },
    ],
    [
      "/",
      {
        authenticated: false,
        render: ({ authenticated }) => ({
          status: 200,
          contentType: "text/html; charset=utf-8",
          body: renderIndex(index(), authenticated),
        }),
      },
    ],
  ]);
}

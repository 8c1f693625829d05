import { expect, test } from "vitest";
import { npmError } from "../../../src/library-sets/npm/npm-error.ts";
import type { NpmEnd } from "../../../src/library-sets/npm/run-npm.ts";

const failed = (error: object): Partial<NpmEnd> => ({ output: JSON.stringify({ error }) });

test.each<[string, Partial<NpmEnd>, string, RegExp]>([
  [
    "a script that failed is told with its package and what it said",
    {
      ...failed({ code: 3, summary: "command failed", detail: "sh -c node build.js" }),
      log: [
        ...[
          "code 3",
          "path /data/staging/x/node_modules/@acme/native",
          "command failed",
          "command sh -c node build.js",
        ],
        ...["no compiler was found", "Log files were not written due to the config logs-max=0"],
      ]
        .map((line) => `npm error ${line}`)
        .join("\n"),
    },
    "INSTALL_FAILED",
    /^@acme\/native: command failed; command sh -c node build.js; no compiler was found$/,
  ],
  [
    "a lockfile that lacks something is told without how npm is used",
    failed({
      code: "EUSAGE",
      summary: "not in sync\n\nMissing: acme@1.0.0 from lock file\n\nClean install a project\n\nUsage:\nnpm ci",
    }),
    "INVALID_LOCKFILE",
    /^not in sync; Missing: acme@1.0.0 from lock file$/,
  ],
  [
    "a package from Git is named",
    failed({
      code: "EALLOWGIT",
      summary: "disabled",
      detail: 'Refusing to fetch "helper@git+ssh://git@example.com/a.git"',
    }),
    "PACKAGE_VERSION_INEXACT",
    /helper@git/,
  ],
  [
    "a package from a URL is named",
    failed({
      code: "EALLOWREMOTE",
      summary: "disabled",
      detail: 'Refusing to fetch "helper@https://example.com/a.tgz"',
    }),
    "PACKAGE_VERSION_INEXACT",
    /helper@https/,
  ],
  [
    "npm that dies of a file that may not grow found the disk full",
    { code: undefined, signal: "SIGXFSZ" },
    "DISK_FULL",
    /no space/,
  ],
  [
    "npm that was killed says so",
    { code: undefined, signal: "SIGKILL" },
    "INSTALL_FAILED",
    /^npm was ended by SIGKILL$/,
  ],
])("%s", (_what, end, reason, message) => {
  const error = npmError({ ...{ code: 1, signal: undefined, output: "", log: "" }, ...end });
  expect(error).toMatchObject({ reason, message: expect.stringMatching(message) });
});

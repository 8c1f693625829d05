import { boolean, bytes, type ConfigOf, choice, duration, integer, list, map, text } from "./setting.ts";

const MB = 1e6;
const MIB = 2 ** 20;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** Node's timers take no more than 24.8 days: longer ones fire at once. */
const LONGEST_TIMER = 24 * DAY;
const PROFILE_NAME = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Every setting of the driver. docs/configuration.md is generated from this table. */
export const settings = {
  listen: text({
    kind: "HOST:PORT",
    pattern: /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/,
    default: "127.0.0.1:0",
    doc: "Where the driver listens; port 0 takes a free one, which the address file names. An address other than loopback needs `tls` or `allowPlainRemote`.",
  }),
  allowPlainRemote: boolean({
    default: false,
    doc: "Lets the driver listen without TLS on an address other than loopback. The token then travels in the clear: only for a network that you trust.",
  }),
  dataDir: text({
    kind: "path",
    default: "",
    doc: "The folder for datasets, address files and the token. Default: `$XDG_DATA_HOME/drover`, else `~/.local/share/drover`.",
  }),
  profile: text({
    kind: "profile name (lower case letters, digits, `-`)",
    pattern: PROFILE_NAME,
    default: "default",
    doc: "The profile's name. Its settings are read from `profiles/NAME.toml` in the data directory if that file is there.",
  }),
  tokenFile: text({
    kind: "path",
    default: "",
    doc: "The file that holds the token; made with mode 0600 if it is not there. Default: `token` in the data directory.",
  }),
  share: choice({
    choices: ["user", "group"],
    default: "user",
    doc: "Who may use the data directory: the user that runs the driver, or everybody in the data directory's group, so that app servers of several users share a driver.",
  }),
  fileRoots: list({
    kind: "list of folders, or `*`",
    default: { text: "`*` on loopback, none on another address", value: () => [] },
    doc: "Folders that paths named by clients must lie under after links are followed. `*` allows any path.",
  }),
  httpSources: list({
    kind: "list of origins such as `https://data.example.com` or `https://*.example.com`, or `*`",
    default: { text: "`*` on loopback, none on another address", value: () => [] },
    doc: "Servers from which sources named by clients may be fetched; redirects must keep to them. `*` allows any, those that only the driver's machine can reach among them.",
  }),
  memory: bytes({
    min: 512 * MB,
    default: {
      text: "60 % of what the process may use (its cgroup's limit, else the machine's memory)",
      value: (machine) => Math.max(512 * MB, Math.floor(machine.memoryBytes * 0.6)),
    },
    doc: "The memory budget. It is divided among the driver's process, the loader workers and the reading engine with its datasets in memory; the shares never sum up to more.",
  }),
  threads: integer({
    min: 1,
    max: 1024,
    default: { text: "the CPUs that the process may use", value: (machine) => machine.cpus },
    doc: "CPUs that everything together may use: reading, and loading in workers, which the operating system lets go last.",
  }),
  pools: {
    readers: {
      size: integer({
        min: 1,
        max: 1024,
        default: { text: "twice the CPUs, at least 4", value: (machine) => Math.max(4, machine.cpus * 2) },
        doc: "Queries that run at once.",
      }),
      maxQueued: integer({ min: 0, max: 100_000, default: 256, doc: "Queries that may wait; one more is POOL_FULL." }),
    },
    loaders: {
      size: integer({
        min: 1,
        max: 256,
        default: { text: "half the CPUs, at least 1", value: (machine) => Math.max(1, Math.floor(machine.cpus / 2)) },
        doc: "Loads that run at once.",
      }),
      maxQueued: integer({ min: 0, max: 100_000, default: 64, doc: "Loads that may wait; one more is POOL_FULL." }),
    },
  },
  workers: {
    min: integer({ min: 0, max: 256, default: 0, doc: "Loader workers that are kept although nothing is loaded." }),
    initial: integer({ min: 0, max: 256, default: 0, doc: "Loader workers that start with the driver." }),
    max: integer({
      min: 1,
      max: 256,
      default: { text: "one more than the CPUs, at least 3", value: (machine) => Math.max(3, machine.cpus + 1) },
      doc: "Loader workers at most. Loads leave one of them to previews and tests where there are two or more; fewer where `memory` does not give each 450 MB.",
    }),
    idle: duration({
      max: LONGEST_TIMER,
      default: MINUTE,
      doc: "A worker that has had nothing to do for so long ends.",
    }),
    hangTimeout: duration({
      min: 1_000,
      max: LONGEST_TIMER,
      default: MINUTE,
      doc: "A worker that gives no sign of life for so long while it works is ended, and its load fails.",
    }),
  },
  librarySets: {
    registry: text({
      kind: "URL",
      pattern: /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/,
      default: "",
      doc: "The package registry that library sets are installed from, unless whoever creates one names another. Default: the one of the npm configuration of the driver's user, where logins for registries, proxies and certificates stand, too.",
    }),
    kinds: map({
      pair: "KIND=SET",
      doc: 'Which library set serves a kind of source, instead of what the driver brings along: in a file `[librarySets.kinds]` and `postgres = "warehouse"`. Only sets that are named here or in `librarySets.sources` run.',
    }),
    sources: map({
      pair: "PATTERN=SET",
      doc: 'Which library set serves a stored source, or all that a stored connection brings, whatever its kind: in a file `[librarySets.sources]` and `"sales-*" = "warehouse-old"`. `*` stands for any characters; the name of the source counts before that of its connection, a name before a pattern, and of several patterns the longest. Where that set does not serve the kind, `librarySets.kinds` counts.',
    }),
  },
  parsers: {
    modules: list({
      kind: "list of absolute paths",
      default: [],
      doc: "JavaScript modules whose exported functions are value parsers (`js:NAME`). They run in worker processes with the driver's rights: name only what you trust.",
    }),
    timeout: duration({
      min: 100,
      max: LONGEST_TIMER,
      default: 5_000,
      doc: "A value parser that needs longer for a batch of 1,000 values is stopped, and its load fails.",
    }),
  },
  residency: {
    budget: bytes({
      default: { text: "60 % of the reading engine's share of `memory`", value: () => Number.POSITIVE_INFINITY },
      doc: "What datasets in memory may take; 0 keeps none there. Least recently used versions leave first.",
    }),
    idle: duration({ default: 30 * MINUTE, doc: "A dataset that nobody queried for so long leaves memory; 0: never." }),
  },
  retention: {
    versions: integer({
      min: 1,
      max: 100_000,
      default: 3,
      doc: "Versions of a dataset that are kept, the current one included.",
    }),
    maxAge: duration({
      default: 0,
      doc: "Older versions than this are removed, but never the current one; 0: no limit.",
    }),
    maxBytes: bytes({
      default: 0,
      doc: "Older versions are removed while a dataset's versions together are larger; 0: no limit.",
    }),
  },
  quota: bytes({
    default: 0,
    doc: "What the data directory may hold. A load that would pass it is refused; 0: only the disk's free space counts.",
  }),
  minFreeDisk: bytes({
    default: 500 * MB,
    doc: "Free space that a load must leave on the data directory's disk.",
  }),
  spill: {
    maxBytes: bytes({
      default: 10_000 * MB,
      doc: "What queries and loads may write to disk for what does not fit in memory.",
    }),
  },
  history: {
    maxAge: duration({ default: 7 * DAY, doc: "How long finished operations are kept." }),
    maxOperations: integer({ min: 0, max: 1_000_000, default: 10_000, doc: "How many finished operations are kept." }),
  },
  uploads: {
    quota: bytes({
      default: 50_000 * MB,
      doc: "What all files that clients have sent may take together; 0: only the disk's free space counts.",
    }),
    unfinishedAge: duration({
      min: MINUTE,
      default: DAY,
      doc: "A file that nobody has gone on sending for so long is removed.",
    }),
    retention: duration({
      default: 7 * DAY,
      min: MINUTE,
      doc: "A file that was not used for so long, and that no dataset or source refers to, is removed.",
    }),
  },
  limits: {
    maxRequestBytes: bytes({
      min: 1024,
      max: 512 * MIB,
      default: 4 * MIB,
      doc: "A larger request is REQUEST_TOO_LARGE.",
    }),
    maxStreams: integer({
      min: 1,
      max: 100_000,
      default: 1_000,
      doc: "Calls that one HTTP/2 connection may have open at once.",
    }),
    maxConnections: integer({
      min: 1,
      max: 1_000_000,
      default: 10_000,
      doc: "Connections that may be open at once; one more is closed.",
    }),
    maxFetchBytes: bytes({
      min: 1,
      default: 50_000 * MB,
      doc: "A larger http(s) source is not fetched: SOURCE_TOO_LARGE.",
    }),
    maxUploadBytes: bytes({
      min: 1,
      default: 10_000 * MB,
      doc: "A larger file is not taken from clients: UPLOAD_TOO_LARGE.",
    }),
    statements: integer({
      min: 1,
      max: 10_000,
      default: 8,
      doc: "Statements that all loads together run at once on a database server, unless its connection has a limit of its own.",
    }),
    queryTimeout: duration({
      max: LONGEST_TIMER,
      default: 0,
      doc: "A query is stopped after this time, whatever the client's deadline; 0: never.",
    }),
    detachedTimeout: duration({
      max: LONGEST_TIMER,
      default: 15_000,
      doc: "How long a reattachable query goes on without a reader after its connection broke; then it is cancelled.",
    }),
    spoolBytes: bytes({
      default: 64 * MIB,
      doc: "What all reattachable queries together may keep of what they have sent.",
    }),
    spoolBytesPerQuery: bytes({
      default: 16 * MIB,
      doc: "What one reattachable query may keep of what it has sent; what is older is RESULT_EXPIRED.",
    }),
    resultTtl: duration({
      max: LONGEST_TIMER,
      default: 30_000,
      doc: "How long the end of a finished reattachable query can still be read.",
    }),
    readerTimeout: duration({
      max: LONGEST_TIMER,
      default: MINUTE,
      doc: "A query whose reader takes nothing of its result for so long is stopped, since it keeps a place in the readers' pool; 0: never.",
    }),
  },
  tls: {
    certFile: text({
      kind: "path",
      default: "",
      doc: "The certificate chain (PEM). With `tls.keyFile` it switches TLS on. Read again when it changes.",
    }),
    keyFile: text({ kind: "path", default: "", doc: "The certificate's private key (PEM)." }),
    clientCaFile: text({
      kind: "path",
      default: "",
      doc: "Certificates (PEM) that clients' certificates must be signed by. Clients then need a certificate as well as the token.",
    }),
    reloadInterval: duration({
      min: 100,
      max: LONGEST_TIMER,
      default: 10_000,
      doc: "How often the files are looked at for changes.",
    }),
  },
  http: {
    origins: list({
      kind: "list of origins such as `https://bi.example.com`",
      default: [],
      doc: "Browser pages of these origins may call the driver. A page that the driver itself serves always may.",
    }),
  },
  log: {
    level: choice({
      choices: ["debug", "info", "warn", "error", "silent"],
      default: "info",
      doc: "The least severity that is logged, to stderr.",
    }),
    maxBytes: bytes({
      default: 64 * MIB,
      doc: "A log file that `--log-file` names is put aside as `FILE.1` when it is larger; 0: never.",
    }),
    format: choice({
      choices: ["json", "text"],
      default: "json",
      doc: "One JSON object in a line, or text for people.",
    }),
  },
  lifetime: {
    firstCall: duration({
      max: LONGEST_TIMER,
      default: { text: "1 min for a driver that a client has started, else off", value: () => 0 },
      doc: "A driver that got no authenticated call for so long after its start ends; 0: never.",
    }),
    idle: duration({
      max: LONGEST_TIMER,
      default: { text: "30 min for a driver that a client has started, else off", value: () => 0 },
      doc: "A driver without leases, operations and authenticated calls for so long ends, unless it is to refresh a dataset within that time; 0: never.",
    }),
    max: duration({
      max: LONGEST_TIMER,
      default: 0,
      doc: "A driver that is so old drains and ends, whatever it does; 0: never.",
    }),
  },
  schedules: boolean({
    default: true,
    doc: "Whether this driver refreshes datasets when their schedules want it, if no other driver of the data directory does. Without it, `drover refresh --due` does so.",
  }),
  drainTimeout: duration({
    max: LONGEST_TIMER,
    default: 10 * MINUTE,
    doc: "How long running work may take to finish when the driver drains, because it is replaced or asked to; then it is cancelled.",
  }),
  stopGrace: duration({
    max: LONGEST_TIMER,
    default: 10_000,
    doc: "How long running work may take to finish when the driver is asked to stop; then it is cancelled.",
  }),
} as const;

/** The settings as they stand after flags, environment and files were read. */
export type Settings = ConfigOf<typeof settings>;

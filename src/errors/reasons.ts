import { Code } from "./code.ts";

/** What the catalogue says of one reason. */
export interface ReasonEntry {
  /** The gRPC code that the error travels with. */
  readonly code: Code;
  /** When it happens, for docs/errors.md. */
  readonly when: string;
  /** What the reader can do about it; shown by the CLI below the message. */
  readonly help: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
}

/**
 * Every reason that an error of the API can carry. The key is the `reason` of `google.rpc.ErrorInfo`; a published key
 * stays. docs/errors.md is generated from this table.
 */
export const reasons = {
  // Requests
  INVALID_REQUEST: {
    code: Code.INVALID_ARGUMENT,
    when: "A field of the request breaks a rule of the contract.",
    help: "Mend the field that the message names.",
    retryable: false,
  },
  INVALID_PAGE_TOKEN: {
    code: Code.INVALID_ARGUMENT,
    when: "A page token was altered, or belongs to another request.",
    help: "Start again without a page token.",
    retryable: false,
  },
  REQUEST_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A request is larger than the limit.",
    help: "Send less at once, or raise `limits.maxRequestBytes`.",
    retryable: false,
  },
  UNAUTHENTICATED: {
    code: Code.UNAUTHENTICATED,
    when: "The call carries no token, a wrong one, or no client certificate that the driver trusts.",
    help: "Give the token from the file that the address file names.",
    retryable: false,
  },
  ORIGIN_FORBIDDEN: {
    code: Code.PERMISSION_DENIED,
    when: "A browser page of an origin that is not allowed called the driver.",
    help: "Add the origin to `http.origins`.",
    retryable: false,
  },
  NOT_SERVING: {
    code: Code.UNAVAILABLE,
    when: "The driver starts, drains or stops and takes no work.",
    help: "Try again; a driver that ends is replaced by the next one.",
    retryable: true,
  },
  UNKNOWN_METHOD: {
    code: Code.UNIMPLEMENTED,
    when: "The driver does not know the method.",
    help: "Compare the versions of client and driver.",
    retryable: false,
  },
  UNKNOWN_SERVICE: {
    code: Code.NOT_FOUND,
    when: "A health check names a service that the driver does not have.",
    help: "Leave the name out to ask for the driver as a whole.",
    retryable: false,
  },
  INTERNAL: {
    code: Code.INTERNAL,
    when: "Something went wrong that should not have; the driver's log has it under the request id.",
    help: "Report it with the request id.",
    retryable: false,
  },
  CANCELLED: {
    code: Code.CANCELLED,
    when: "Somebody cancelled the call or its operation.",
    help: "Ask again if the answer is still wanted.",
    retryable: false,
  },
  DEADLINE_EXCEEDED: {
    code: Code.DEADLINE_EXCEEDED,
    when: "The caller's deadline passed before the work was done; the work was stopped.",
    help: "Give more time or ask for less.",
    retryable: false,
  },
  // Operations
  OPERATION_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "No operation has this id, or it ended so long ago that its record is gone.",
    help: "List operations to see which there are.",
    retryable: false,
  },
  OPERATION_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "Another operation has the id that the client chose.",
    help: "Choose a new id for new work.",
    retryable: false,
  },
  RESULT_EXPIRED: {
    code: Code.OUT_OF_RANGE,
    when: "What a client asks to be sent again of a query is no longer kept.",
    help: "Ask the question again.",
    retryable: false,
  },
  POOL_FULL: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A pool's queue is full.",
    help: "Try again later, or raise the pool's `maxQueued`.",
    retryable: true,
  },
  EVENTS_LOST: {
    code: Code.ABORTED,
    when: "A client that is attached left so many of the driver's events unread that no more are kept for it.",
    help: "Attach again, and read what the driver serves now rather than count on events.",
    retryable: true,
  },
  WORKER_CRASHED: {
    code: Code.UNAVAILABLE,
    when: "The worker process that a load, test or preview ran in ended unexpectedly, twice where a second try was possible.",
    help: "The message says how it ended and what it said last; the driver's log has more. Try again, and report it if it stays.",
    retryable: true,
  },
  WORKER_OUT_OF_MEMORY: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The worker process took more memory than it may.",
    help: "Raise `memory`, or lower `workers.max` so that each worker's share is larger; load fewer columns.",
    retryable: false,
  },
  WORKER_HUNG: {
    code: Code.UNAVAILABLE,
    when: "The worker process gave no sign of life for longer than `workers.hangTimeout`, or did not start, and was ended.",
    help: "A parser or connector that never yields is the usual cause; try again, or raise `workers.hangTimeout`.",
    retryable: true,
  },
  DRIVER_STOPPED: {
    code: Code.UNAVAILABLE,
    when: "The driver stopped before the operation was done.",
    help: "Ask the next driver.",
    retryable: true,
  },
  // The driver's start
  USAGE: {
    code: Code.INVALID_ARGUMENT,
    when: "A command line has an unknown command or flag, or a flag without its value.",
    help: "See docs/configuration.md for the flags.",
    retryable: false,
  },
  CONFIG_INVALID: {
    code: Code.INVALID_ARGUMENT,
    when: "A setting is unknown, has a value that it can't take, or contradicts another.",
    help: "Mend it where the message says; `drover config show --origins` shows what counts and why.",
    retryable: false,
  },
  TLS_INVALID: {
    code: Code.FAILED_PRECONDITION,
    when: "A certificate or key can't be read, or they do not belong together.",
    help: "Check the files that `tls` names.",
    retryable: false,
  },
  LISTEN_REFUSED: {
    code: Code.FAILED_PRECONDITION,
    when: "The driver was told to listen without TLS on an address other than loopback.",
    help: "Set `tls.certFile` and `tls.keyFile`, or `allowPlainRemote` on a network that you trust.",
    retryable: false,
  },
  LISTEN_FAILED: {
    code: Code.UNAVAILABLE,
    when: "The address is in use or not this machine's.",
    help: "Choose another `listen`; port 0 takes a free one.",
    retryable: true,
  },
  ALREADY_RUNNING: {
    code: Code.ALREADY_EXISTS,
    when: "A live driver of this profile runs on the data directory.",
    help: "Use that driver, stop it first, or start another profile.",
    retryable: false,
  },
  DATA_DIRECTORY_UNUSABLE: {
    code: Code.FAILED_PRECONDITION,
    when: "The data directory, or the token file in it, can't be made, read or written, or others may write it.",
    help: "Check owner, mode and free space of the path in the message.",
    retryable: false,
  },
  // Datasets and the data directory
  DATASET_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "There is no dataset of this name.",
    help: "`drover datasets` lists those that there are; names are case-sensitive.",
    retryable: false,
  },
  VERSION_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "The dataset has no version of this number, or retention has removed it.",
    help: "List the dataset's versions, or leave the version out to get the current one.",
    retryable: false,
  },
  APPEND_OUT_OF_STEP: {
    code: Code.FAILED_PRECONDITION,
    when: "An append goes on at another row than the first one that is not in the dataset yet, or another stream with its id goes on instead of it.",
    help: "Ask `GetAppend` how many rows are there, and go on with the next one.",
    retryable: false,
  },
  VERSION_CONFLICT: {
    code: Code.ABORTED,
    when: "Another version was published while one was made from the version before it.",
    help: "Try again; it then starts from the newest version.",
    retryable: true,
  },
  VERSION_DAMAGED: {
    code: Code.DATA_LOSS,
    when: "A file of the version is missing, was altered, or can't be read.",
    help: "Load the dataset again, or ask for another of its versions.",
    retryable: false,
  },
  NAME_CONFLICT: {
    code: Code.ALREADY_EXISTS,
    when: "A dataset exists whose name differs only by upper and lower case, which SQL can't tell apart.",
    help: "Use the existing name, or one that differs by more.",
    retryable: false,
  },
  LOAD_CONFLICT: {
    code: Code.ABORTED,
    when: "Another load of the same dataset runs, with another source or other options.",
    help: "Wait for it or cancel it, then try again.",
    retryable: true,
  },
  DATASET_LOADING: {
    code: Code.FAILED_PRECONDITION,
    when: "A dataset that is being loaded for the first time was asked for by a call that does not want to wait.",
    help: "Try again when the load is done, or leave `no_wait` out.",
    retryable: true,
  },
  PIN_REFUSED: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A dataset can't be pinned because what is pinned already leaves too little of the memory for datasets.",
    help: "Release another dataset (`drover level NAME memory`), keep this one as `memory`, or raise `memory`.",
    retryable: true,
  },
  QUOTA_EXCEEDED: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The data directory, or the uploads in it, would grow beyond their quota.",
    help: "Drop datasets or uploads that nobody needs, keep fewer versions, or raise the quota.",
    retryable: false,
  },
  DISK_FULL: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The disk of the data directory has less free space than must be kept, or none.",
    help: "Free space on the disk or move the data directory to a larger one.",
    retryable: true,
  },
  DATA_DIRECTORY_NEWER: {
    code: Code.FAILED_PRECONDITION,
    when: "The data directory was written by a newer driver.",
    help: "Use that driver's version or a later one, or give another data directory.",
    retryable: false,
  },
  CATALOG_BUSY: {
    code: Code.UNAVAILABLE,
    when: "Other processes kept the catalog locked for too long.",
    help: "Try again; look for a process that holds `catalog.sqlite`.",
    retryable: true,
  },
  CATALOG_DAMAGED: {
    code: Code.DATA_LOSS,
    when: "The catalog file is not a whole database.",
    help: "Move `catalog.sqlite` away: datasets are found again by their manifests, the history is lost.",
    retryable: false,
  },
  // Queries
  INVALID_QUERY: {
    code: Code.INVALID_ARGUMENT,
    when: "A query as a whole makes no sense, for example without dimensions and measures.",
    help: "Mend the field that the message names.",
    retryable: false,
  },
  UNKNOWN_COLUMN: {
    code: Code.INVALID_ARGUMENT,
    when: "A query names a column that neither the dataset nor the query has.",
    help: "See the dataset's columns with `drover describe`; upper and lower case count.",
    retryable: false,
  },
  DUPLICATE_NAME: {
    code: Code.INVALID_ARGUMENT,
    when: "Two columns of a result, or a calculated column and another one, have the same name.",
    help: "Give one of them another alias.",
    retryable: false,
  },
  INVALID_DIMENSION: {
    code: Code.INVALID_ARGUMENT,
    when: "A dimension's grain, part or bin does not fit the type of its column.",
    help: "Group by another column or leave the bucket out.",
    retryable: false,
  },
  INVALID_TIME_ZONE: {
    code: Code.INVALID_ARGUMENT,
    when: "A zone is not in the IANA time zone database.",
    help: "Give a name such as `Europe/Berlin` or `UTC`.",
    retryable: false,
  },
  INVALID_MEASURE: {
    code: Code.INVALID_ARGUMENT,
    when: "A measure can't be computed of its column, for example the sum of a text.",
    help: "Choose another operation, or calculate a column of a fitting type first.",
    retryable: false,
  },
  INVALID_FILTER: {
    code: Code.INVALID_ARGUMENT,
    when: "A condition does not fit its column: a value of another type, an operator that the type does not have.",
    help: "Give the value as the column's type says; docs/types.md shows how each is written.",
    retryable: false,
  },
  INVALID_EXPRESSION: {
    code: Code.INVALID_ARGUMENT,
    when: "An expression has arguments of wrong number or type, or is nested too deeply.",
    help: "Mend the part that the message names; functions that convert types help.",
    retryable: false,
  },
  RESULT_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A result is larger than one answer may be.",
    help: "Use the stream (`RunQuery`), or ask for fewer rows.",
    retryable: false,
  },
  READER_TOO_SLOW: {
    code: Code.ABORTED,
    when: "The reader of a result took nothing of it for `limits.readerTimeout`, so the query gave its place in the pool away.",
    help: "Read the result as it comes, ask for less, or raise `limits.readerTimeout`.",
    retryable: false,
  },
  // Uploads
  UPLOAD_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "There is no upload of this id: it never was, was deleted, or was removed because nobody had used it for `uploads.retention`.",
    help: "Send the file again.",
    retryable: false,
  },
  UPLOAD_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "Another file was sent, or is being sent, under the id that the client chose.",
    help: "Choose a new id for a new file, or delete the upload first.",
    retryable: false,
  },
  UPLOAD_BUSY: {
    code: Code.ABORTED,
    when: "Another driver of the data directory receives the file at this moment.",
    help: "Try again; a connection that was lost is noticed within seconds.",
    retryable: true,
  },
  UPLOAD_TAKEN_OVER: {
    code: Code.ABORTED,
    when: "Another call went on sending the file under the same id, or it was deleted.",
    help: "Send different files under different ids.",
    retryable: false,
  },
  UPLOAD_OFFSET: {
    code: Code.OUT_OF_RANGE,
    when: "A client goes on sending a file from another place than the one that the driver is at.",
    help: "Go on from `receivedBytes`, which the error's metadata and GetUpload say.",
    retryable: false,
  },
  UPLOAD_INCOMPLETE: {
    code: Code.FAILED_PRECONDITION,
    when: "A file is not all there: the stream ended without saying so, or has other bytes than announced, or it is to be used before its end.",
    help: "Go on sending it from `receivedBytes`, or wait for its end.",
    retryable: false,
  },
  UPLOAD_DAMAGED: {
    code: Code.DATA_LOSS,
    when: "The bytes that came do not have the SHA-256 that the client gave, or two processes wrote them at once. They were thrown away.",
    help: "Send the file again.",
    retryable: false,
  },
  UPLOAD_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A file is larger than the limit. What had come of it was thrown away.",
    help: "Raise `limits.maxUploadBytes`, or put the file where the driver can read it.",
    retryable: false,
  },
  // Sources and loads
  UNKNOWN_FORMAT: {
    code: Code.INVALID_ARGUMENT,
    when: "No connector is named, and the source's ending tells none, or the named one does not exist.",
    help: "Give the format: one of those that docs/sources.md lists.",
    retryable: false,
  },
  UNKNOWN_OPTION: {
    code: Code.INVALID_ARGUMENT,
    when: "The connector has no option of this name.",
    help: "docs/sources.md lists the options of each connector.",
    retryable: false,
  },
  INVALID_OPTION: {
    code: Code.INVALID_ARGUMENT,
    when: "An option's value can't be used.",
    help: "Mend the value; docs/sources.md says what each option takes.",
    retryable: false,
  },
  INVALID_SOURCE: {
    code: Code.INVALID_ARGUMENT,
    when: "The source's URI is none that its kind can read, or a load from a database names neither table nor query.",
    help: "Give an absolute path or glob on the driver's machine, or a URL or stored name that docs/sources.md lists; for a database `table` or `query`.",
    retryable: false,
  },
  INVALID_CONNECTION: {
    code: Code.INVALID_ARGUMENT,
    when: "A database's URL or an option of its connection can't be used, or a password stands in it.",
    help: "Mend what the message names; docs/sources.md says what each kind takes, and how passwords are given.",
    retryable: false,
  },
  CONNECTION_NOT_DEFINED: {
    code: Code.NOT_FOUND,
    when: "There is no connection of this name.",
    help: "`drover connections list` shows those that there are; names are case-sensitive.",
    retryable: false,
  },
  CONNECTION_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "There is a connection of this name, or of one that differs only by upper and lower case.",
    help: "Update it, or choose another name.",
    retryable: false,
  },
  CONNECTION_IN_USE: {
    code: Code.FAILED_PRECONDITION,
    when: "A connection that sources use can't be deleted.",
    help: "Delete the sources that the message names, or give them another connection.",
    retryable: false,
  },
  SOURCE_NOT_DEFINED: {
    code: Code.NOT_FOUND,
    when: "There is no stored source of this name.",
    help: "`drover sources list` shows those that there are; names are case-sensitive.",
    retryable: false,
  },
  SOURCE_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "There is a stored source of this name, or of one that differs only by upper and lower case.",
    help: "Update it, or choose another name.",
    retryable: false,
  },
  SOURCE_DISABLED: {
    code: Code.FAILED_PRECONDITION,
    when: "The stored source is disabled: nothing is loaded from it. Datasets that were made of it still answer.",
    help: "Enable it with `drover sources enable`, or load another source.",
    retryable: false,
  },
  DEFINITION_CHANGED: {
    code: Code.ABORTED,
    when: "Somebody has changed the connection or source since the `etag` was read.",
    help: "Read it again, and decide whether the change is still wanted.",
    retryable: false,
  },
  PASSWORD_REQUIRED: {
    code: Code.FAILED_PRECONDITION,
    when: "The URL or options of a connection change, and with them where the password goes that the driver keeps for it.",
    help: "Give the password again with the change.",
    retryable: false,
  },
  SECRET_FORBIDDEN: {
    code: Code.PERMISSION_DENIED,
    when: "A secret's reference names something that may be none: a variable without the prefix, a file that others may read.",
    help: "Use a variable that begins with DROVER_SECRET_, or a file of the driver's user with mode 0600.",
    retryable: false,
  },
  SECRET_UNAVAILABLE: {
    code: Code.FAILED_PRECONDITION,
    when: "The variable or file of a secret is not there or empty, or a stored password can't be opened.",
    help: "Set the variable before the driver starts, make the file, or give the connection its password again.",
    retryable: false,
  },
  UNKNOWN_URL_PARAMETER: {
    code: Code.INVALID_ARGUMENT,
    when: "The URL of a database has a parameter that the connector does not know.",
    help: "Take it out, or write it as docs/sources.md lists it.",
    retryable: false,
  },
  INVALID_URL_PARAMETER: {
    code: Code.INVALID_ARGUMENT,
    when: "A parameter of a database's URL has a value that can't be honoured, contradicts an option, or asks for something that the connector does not do.",
    help: "Take it out, or mend its value.",
    retryable: false,
  },
  CONNECTION_FAILED: {
    code: Code.UNAVAILABLE,
    when: "The database's server can't be reached, refuses connections, or closed one in the middle.",
    help: "Check host, port and TLS as the driver's machine sees them, and whether the server runs.",
    retryable: true,
  },
  CONNECTION_TLS_FAILED: {
    code: Code.FAILED_PRECONDITION,
    when: "The database's server and the connection do not agree on TLS, or the certificate is not to be trusted.",
    help: "Check `tls` and `tlsCaFile`: the message says what did not fit.",
    retryable: false,
  },
  LOGIN_REFUSED: {
    code: Code.PERMISSION_DENIED,
    when: "The database's server does not accept the user, the password or the database.",
    help: "Check the user's name and what the password's reference holds now; `drover sources test` tries again.",
    retryable: false,
  },
  SOURCE_ACCESS_DENIED: {
    code: Code.PERMISSION_DENIED,
    when: "The login may not read the table.",
    help: "Have it granted, or use another login.",
    retryable: false,
  },
  SOURCE_QUERY_FAILED: {
    code: Code.FAILED_PRECONDITION,
    when: "The database refused a statement or broke it off; the metadata has its own code (SQLSTATE).",
    help: "The message is the database's own: mend the query, the filter or the types that it speaks of.",
    retryable: false,
  },
  PATH_NOT_ALLOWED: {
    code: Code.PERMISSION_DENIED,
    when: "The path, links resolved, lies outside of the folders that the driver may read, or belongs to the driver itself.",
    help: "Move the file under one of `fileRoots`, or have the administrator add its folder there.",
    retryable: false,
  },
  URL_NOT_ALLOWED: {
    code: Code.PERMISSION_DENIED,
    when: "The driver may not fetch from the server that a URL, or a redirect on the way, names; or a redirect leads from https to http or goes on for too long.",
    help: "Have the administrator add the server's origin to `httpSources`.",
    retryable: false,
  },
  SOURCE_FETCH_FAILED: {
    code: Code.UNAVAILABLE,
    when: "An http(s) source could not be fetched, although it was tried several times: no connection, a connection that broke, silence, or a status that may pass.",
    help: "Look whether the driver's machine reaches the URL; try again later.",
    retryable: true,
  },
  SOURCE_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "An http(s) source has more bytes than may be fetched.",
    help: "Raise `limits.maxFetchBytes`, or put the file where the driver can read it.",
    retryable: false,
  },
  SOURCE_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "There is no file at the path, or the glob matches none.",
    help: "Check the path as the driver's machine sees it.",
    retryable: false,
  },
  SOURCE_IS_FOLDER: {
    code: Code.INVALID_ARGUMENT,
    when: "The path is a folder.",
    help: "Name the files by a glob, for example `folder/*.csv`.",
    retryable: false,
  },
  SOURCE_UNREADABLE: {
    code: Code.FAILED_PRECONDITION,
    when: "The operating system refuses to read the file.",
    help: "Check the file's permissions, its links and its disk.",
    retryable: false,
  },
  EMPTY_SOURCE: {
    code: Code.FAILED_PRECONDITION,
    when: "The source has no content: not even a header.",
    help: "Check how the file was made; a header alone is enough for a dataset without rows.",
    retryable: false,
  },
  SOURCE_BINARY: {
    code: Code.INVALID_ARGUMENT,
    when: "The file holds binary data where text was expected.",
    help: "Give the right format, or the `encoding` if it is text in UTF-16 or UTF-32.",
    retryable: false,
  },
  SOURCE_ENCODING: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not text in the encoding that was given (UTF-8 by default).",
    help: "Give the option `encoding`, for example `windows-1252`.",
    retryable: false,
  },
  SOURCE_TRUNCATED: {
    code: Code.DATA_LOSS,
    when: "A compressed file ends early or is damaged.",
    help: "Copy or make the file again.",
    retryable: false,
  },
  SOURCE_CHANGED: {
    code: Code.ABORTED,
    when: "A file changed while it was read, so what was loaded belongs to no state of it.",
    help: "Try again when nothing writes to the file.",
    retryable: true,
  },
  RAGGED_ROWS: {
    code: Code.INVALID_ARGUMENT,
    when: "A row has more or fewer values than there are columns.",
    help: "Mend the row, give the right delimiter, or skip such rows by `badRows=skip`.",
    retryable: false,
  },
  UNTERMINATED_QUOTE: {
    code: Code.INVALID_ARGUMENT,
    when: "A quoted value does not end, or text follows its closing quote.",
    help: "Mend the row, give the right `quote` and `escape`, or skip such rows by `badRows=skip`.",
    retryable: false,
  },
  ROW_TOO_LONG: {
    code: Code.INVALID_ARGUMENT,
    when: "A row is longer than the loader's limit.",
    help: "A missing closing quote is the usual cause; split the row otherwise.",
    retryable: false,
  },
  MALFORMED_CSV: {
    code: Code.INVALID_ARGUMENT,
    when: "The file can't be read as delimited text with these options.",
    help: "Check delimiter, quote, escape and that all lines end alike.",
    retryable: false,
  },
  MALFORMED_JSON: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not JSON of the expected layout.",
    help: "Mend the place; the file must be an array of objects, or one object for each line.",
    retryable: false,
  },
  MALFORMED_XML: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not well-formed XML.",
    help: "Mend the place that the message names; a file that ends early has to be copied or made again.",
    retryable: false,
  },
  XML_ENTITIES: {
    code: Code.INVALID_ARGUMENT,
    when: "An XML document declares entities of its own, which could grow without bound or name files and addresses.",
    help: "Have the document made without entities; the five of XML itself and character references always work.",
    retryable: false,
  },
  XML_LIMIT: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "An XML document has a value, a record, a depth or a number of different elements beyond the reader's limits.",
    help: "Choose another `recordPath`, `nested=keep` for many different elements, or split the value.",
    retryable: false,
  },
  XML_NO_RECORDS: {
    code: Code.INVALID_ARGUMENT,
    when: "No element of an XML document is where the record path looks.",
    help: "Give one of the paths that the message names as `recordPath`, or leave it out to have it found.",
    retryable: false,
  },
  MALFORMED_ROWS: {
    code: Code.INVALID_ARGUMENT,
    when: "A row of an append is not one JSON array or object on a line of its own, or has other values than columns were named.",
    help: "Mend the row that `row` counts within the append; nothing of the flush that it was in has been kept.",
    retryable: false,
  },
  MALFORMED_ARROW: {
    code: Code.INVALID_ARGUMENT,
    when: "What was sent is no Arrow IPC stream without compression, or has a type that can't be appended.",
    help: "Send the messages of an IPC stream in their order, the schema first, and see docs/append.md for the types.",
    retryable: false,
  },
  MALFORMED_PARQUET: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not Parquet, or its footer or pages are damaged.",
    help: "Make the file again, or give the right format.",
    retryable: false,
  },
  NOT_REFRESHABLE: {
    code: Code.FAILED_PRECONDITION,
    when: "The dataset's version was not made from a source that can be read again.",
    help: "Load the dataset from a source, or ask without `max_age`.",
    retryable: false,
  },
  INVALID_INCREMENT: {
    code: Code.INVALID_ARGUMENT,
    when: "An incremental refresh names a column that the dataset does not have, or a watermark or overlap that can't be compared.",
    help: "Name a watermark of numbers, dates or times, an overlap that fits it, and keys that are columns.",
    retryable: false,
  },
  INVALID_SCHEDULE: {
    code: Code.INVALID_ARGUMENT,
    when: "A schedule is no interval of a second or more, or its cron expression or zone can't be read or never comes.",
    help: "Give an interval such as 15m, or a cron expression of five or six fields with an IANA zone.",
    retryable: false,
  },
  DUPLICATE_KEY: {
    code: Code.FAILED_PRECONDITION,
    when: "The rows that an incremental refresh has read hold a key twice, so which one counts is not known.",
    help: "Name key columns that tell rows apart, or refresh in full.",
    retryable: false,
  },
  SCHEMA_CHANGED: {
    code: Code.FAILED_PRECONDITION,
    when: "The source's columns are no longer those of the dataset, so that an increment can't be added to it.",
    help: "Refresh in full; the dataset then has the source's columns.",
    retryable: false,
  },
  SCHEMA_MISMATCH: {
    code: Code.INVALID_ARGUMENT,
    when: "Files of one source differ in their columns.",
    help: "Load files with different columns as different datasets.",
    retryable: false,
  },
  LOAD_TYPE_MISMATCH: {
    code: Code.INVALID_ARGUMENT,
    when: "A value does not fit the type that was declared for its column.",
    help: "Declare a wider type, mend the value, or skip such rows by `badRows=skip`.",
    retryable: false,
  },
  VALUE_PARSER_FAILED: {
    code: Code.INVALID_ARGUMENT,
    when: "A value parser (option `parsers`) can't make a value of a text.",
    help: "Mend the parser or the value that the message names, or skip such rows by `badRows=skip` where the kind has it.",
    retryable: false,
  },
  LOAD_TYPE_CONTRADICTION: {
    code: Code.ABORTED,
    when: "A column's inferred type does not hold for all rows; the load starts over with a wider one.",
    help: "Declare the column's type to save the extra pass.",
    retryable: true,
  },
  TOO_MANY_BAD_ROWS: {
    code: Code.INVALID_ARGUMENT,
    when: "More rows are bad than `maxBadRows` allows.",
    help: "Mend the source, or raise `maxBadRows`.",
    retryable: false,
  },
  LOAD_OUT_OF_MEMORY: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The load needs more memory than the loader may use.",
    help: "Raise `memory`, or keep fewer columns.",
    retryable: false,
  },
  // Running a query in the engine
  QUERY_FAILED: {
    code: Code.INVALID_ARGUMENT,
    when: "The engine can't compute the query over this data: a cast that fails, a number that overflows, a division of the wrong kind.",
    help: "Mend the expression, or filter out the values that the message names.",
    retryable: false,
  },
  OUT_OF_MEMORY: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The query needs more memory than its share and can't be spilled to disk.",
    help: "Group by fewer values, run fewer queries at once, or raise `memory`.",
    retryable: true,
  },
  SPILL_FULL: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The query's intermediate results need more disk than the spill folder may take.",
    help: "Group by fewer values, or raise the limit of the spill folder.",
    retryable: true,
  },
  SEGMENT_UNREADABLE: {
    code: Code.DATA_LOSS,
    when: "A segment of the dataset is missing or damaged.",
    help: "Refresh or load the dataset again.",
    retryable: false,
  },
  VALUE_OUT_OF_RANGE: {
    code: Code.OUT_OF_RANGE,
    when: "A value of a result doesn't fit the Arrow type of its column.",
    help: "Ask for rows instead of Arrow, or cast the column to text.",
    retryable: false,
  },
  VALUE_UNWRITABLE: {
    code: Code.OUT_OF_RANGE,
    when: "A value can't be written in the format that was asked for, for example a control character in XML.",
    help: "Leave the column out, replace the character in a calculated column, or choose another format.",
    retryable: false,
  },
  TYPE_UNSUPPORTED: {
    code: Code.INVALID_ARGUMENT,
    when: "A column of a result has a type that no result can carry.",
    help: "Cast the column to a type of docs/types.md.",
    retryable: false,
  },
  // SQL
  SQL_INVALID: {
    code: Code.INVALID_ARGUMENT,
    when: "The SQL can't be read or understood, or its placeholders and values differ in number.",
    help: "Mend the SQL at the place that the message names.",
    retryable: false,
  },
  SQL_FORBIDDEN: {
    code: Code.PERMISSION_DENIED,
    when: "The SQL is more than one SELECT, or it uses a table, function or construct that is not on the allow-list.",
    help: "Use datasets by name and the functions that docs/sql.md lists.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;

/** A key of the catalogue. */
export type Reason = keyof typeof reasons;

import { create } from "@bufbuild/protobuf";
import { requireUnbounded } from "../../access/require.ts";
import type { Definitions } from "../../definitions/definitions.ts";
import type { Connection, StoredSource } from "../../definitions/model.ts";
import {
  CreateConnectionResponseSchema,
  CreateSourceResponseSchema,
  DeleteConnectionResponseSchema,
  DeleteSourceResponseSchema,
  ExportSourcesResponseSchema,
  GetConnectionResponseSchema,
  GetSourceResponseSchema,
  ListConnectionsResponseSchema,
  ListSourceKindsResponseSchema,
  ListSourcesResponseSchema,
  ListTablesResponseSchema,
  SourceService,
  SourceTableSchema,
  TestConnectionResponseSchema,
  TestSourceResponseSchema,
  UpdateConnectionResponseSchema,
  UpdateSourceResponseSchema,
} from "../../gen/drover/v1/source_service_pb.js";
import type { Source } from "../../gen/drover/v1/types_pb.js";
import type { SourceProbe } from "../../loading/source-probe.ts";
import type { SourceTable, SourceTest } from "../../sources/connector.ts";
import type { Uploads } from "../../uploads/model.ts";
import type { Call } from "../call.ts";
import {
  fromConnection,
  fromDefinitions,
  fromImported,
  fromStoredSource,
  toConflictPolicy,
  toConnectionChange,
  toConnectionDraft,
  toPortable,
  toSourceChange,
  toSourceDraft,
  toTestedConnection,
} from "../mapping/definitions.ts";
import { type PageRequest, pageOf, pageSize } from "../mapping/pages.ts";
import { fromPreview } from "../mapping/previews.ts";
import { fromSourceKind } from "../mapping/source-kinds.ts";
import { toSourceSpec } from "../mapping/sources.ts";
import { type BoundMethod, bindService } from "../service.ts";
import { requireOwnSecrets, requireOwnUpload, sourceSpec } from "./source-spec.ts";

export interface SourceHandlerParts {
  readonly definitions: Definitions;
  readonly probe: SourceProbe;
  readonly uploads: Pick<Uploads, "of">;
}

const PREVIEW_ROWS = 100;
const PAGE = { fallback: 100, max: 1_000 };

export function sourceService({ definitions, probe, uploads }: SourceHandlerParts): readonly BoundMethod[] {
  const { connections, sources } = definitions;
  const shown = (source: StoredSource) =>
    fromStoredSource(source, definitions.librarySetOf(source.source, { source: source.name }));
  const shownConnection = (connection: Connection) =>
    fromConnection(connection, definitions.librarySetOf({ format: connection.kind, connection: connection.name }));
  const given = async (source: Source | undefined, call: Call) => {
    const spec = toSourceSpec(source);
    requireOwnSecrets(spec.options, call);
    await requireOwnUpload(spec.uri, uploads, call);
    return spec;
  };
  return bindService(
    SourceService,
    {
      roles: {
        listSourceKinds: "loader",
        createConnection: "admin",
        getConnection: "admin",
        listConnections: "admin",
        updateConnection: "admin",
        deleteConnection: "admin",
        testConnection: "loader",
        createSource: "loader",
        getSource: "loader",
        listSources: "loader",
        updateSource: "loader",
        deleteSource: "loader",
        testSource: "loader",
        previewSource: "loader",
        listTables: "loader",
        // They come with their connections.
        exportSources: "admin",
        importSources: "admin",
      },
      sources: [
        "testConnection",
        "createSource",
        "getSource",
        "listSources",
        "updateSource",
        "deleteSource",
        "testSource",
        "previewSource",
        "listTables",
      ],
      work: ["testConnection", "testSource", "previewSource", "listTables", "importSources"],
    },
    {
      listSourceKinds: () =>
        create(ListSourceKindsResponseSchema, { kinds: definitions.kinds.map((kind) => fromSourceKind(kind)) }),
      createConnection: async ({ connection, password }) => {
        const draft = toConnectionDraft(connection, "connection");
        const created = await connections.create(draft, password || undefined);
        return create(CreateConnectionResponseSchema, { connection: shownConnection(created) });
      },
      getConnection: async ({ name }) => {
        const { usedBy, ...connection } = await connections.get(name);
        return create(GetConnectionResponseSchema, { connection: shownConnection(connection), usedBy: [...usedBy] });
      },
      listConnections: async (request) => {
        const { items, nextPageToken } = page(await connections.list(), "connections", request);
        return create(ListConnectionsResponseSchema, { connections: items.map(shownConnection), nextPageToken });
      },
      updateConnection: async ({ connection, updateMask, password }) => {
        const { name = "", etag = "" } = connection ?? {};
        const change = toConnectionChange(connection, updateMask, password);
        const updated = await connections.update(name, change, { etag });
        return create(UpdateConnectionResponseSchema, { connection: shownConnection(updated) });
      },
      deleteConnection: async ({ name, etag }) => {
        await connections.delete(name, { etag });
        return create(DeleteConnectionResponseSchema, {});
      },
      testConnection: async ({ connection, password }, call) => {
        if (connection?.secret) requireOwnSecrets({ secret: connection.secret }, call);
        const tested =
          connection === undefined || connection.uri === ""
            ? await definitions.resolve(serverOf(connection?.name ?? ""), { server: true })
            : await definitions.resolveConnection(toTestedConnection(connection), password || undefined);
        return create(TestConnectionResponseSchema, fromTest(await probe.test(tested, asker(call))));
      },
      createSource: async ({ source }, call) => {
        requireOwnSecrets(toSourceSpec(source?.source).options, call);
        await requireOwnUpload(source?.source?.uri ?? "", uploads, call);
        const created = await sources.create(toSourceDraft(source, "source"));
        return create(CreateSourceResponseSchema, { source: shown(created) });
      },
      getSource: async ({ name }) => create(GetSourceResponseSchema, { source: shown(await sources.get(name)) }),
      listSources: async (request) => {
        const { items, nextPageToken } = page(await sources.list(), "sources", request);
        return create(ListSourcesResponseSchema, { sources: items.map(shown), nextPageToken });
      },
      updateSource: async ({ source, updateMask }, call) => {
        // Datasets that the caller may not see may be loaded from it.
        requireUnbounded(call.access);
        await requireOwnUpload(source?.source?.uri ?? "", uploads, call);
        const { name = "", etag = "" } = source ?? {};
        // What it has is sent to wherever it leads from now on.
        for (const options of [toSourceSpec(source?.source).options, (await sources.get(name)).source.options])
          requireOwnSecrets(options, call);
        const updated = await sources.update(name, toSourceChange(source, updateMask), { etag });
        return create(UpdateSourceResponseSchema, { source: shown(updated) });
      },
      deleteSource: async ({ name, etag }, { access }) => {
        requireUnbounded(access);
        await sources.delete(name, { etag });
        return create(DeleteSourceResponseSchema, {});
      },
      testSource: async ({ source }, call) => {
        const tested = await definitions.resolve(await given(source, call), { disabled: true });
        return create(TestSourceResponseSchema, fromTest(await probe.test(tested, asker(call))));
      },
      previewSource: async ({ source, rows }, call) => {
        const spec = await sourceSpec(source, uploads, call);
        const resolved = await definitions.resolve(spec, { disabled: true, beginning: true });
        const preview = await probe.preview(resolved, { ...asker(call), rows: rows || PREVIEW_ROWS });
        return fromPreview(preview, resolved.named);
      },
      async *listTables({ source, contains }, call) {
        const server = await definitions.resolve(await given(source, call), { disabled: true, server: true });
        for await (const tables of probe.listTables(server, { ...asker(call), contains }))
          yield create(ListTablesResponseSchema, { tables: tables.map(fromTable) });
      },
      exportSources: async ({ names }) =>
        create(ExportSourcesResponseSchema, { definitions: fromDefinitions(await definitions.export(names)) }),
      importSources: async ({ definitions: document, onConflict, validateOnly }, { signal }) => {
        const options = { onConflict: toConflictPolicy(onConflict), validateOnly, signal };
        return fromImported(await definitions.import(toPortable(document), options));
      },
    },
  );
}

function serverOf(connection: string) {
  return { uri: "", format: undefined, options: {}, connection };
}

function asker({ signal, turn }: Call) {
  return { signal, caller: turn };
}

function fromTest({ description, warnings = [] }: SourceTest) {
  return { description, warnings: [...warnings] };
}

function fromTable({ schema, name, type, rows, comment = "" }: SourceTable) {
  return create(SourceTableSchema, {
    ...{ schema, name, comment, view: type === "view" },
    // Estimates may have fractions, or say that there is none.
    ...(rows !== undefined && rows >= 0 && { rows: BigInt(Math.floor(rows)) }),
  });
}

/** A page of definitions that carry the labels asked for. */
function page<T extends { readonly name: string; readonly labels: Readonly<Record<string, string>> }>(
  all: readonly T[],
  what: string,
  request: {
    readonly pageSize: number;
    readonly pageToken: string;
    readonly labels: Readonly<Record<string, string>>;
  },
) {
  const wanted = Object.entries(request.labels).sort();
  const found = all.filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value));
  const asked: PageRequest = {
    size: pageSize(request.pageSize, PAGE),
    token: request.pageToken,
    request: [what, wanted],
  };
  return pageOf(found, ({ name }) => name, asked);
}

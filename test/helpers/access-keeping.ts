import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ImportLibrarySetRequestSchema, LibraryService } from "../../src/gen/drover/v1/library_service_pb.js";
import { SourceService } from "../../src/gen/drover/v1/source_service_pb.js";
import { Role, TokenService } from "../../src/gen/drover/v1/token_service_pb.js";
import { UploadService } from "../../src/gen/drover/v1/upload_service_pb.js";
import type { Caller } from "./access-callers.ts";
import { both, everything, others, type Row, row, seen, sources } from "./access-expectations.ts";
import { OTHERS, PASTED, uploadOf } from "./access-scene.ts";

const source = SourceService.method;
const upload = UploadService.method;
const library = LibraryService.method;
const token = TokenService.method;

const own = (what: string) => (caller: Caller) => `${what}-${caller.name}`;
const madeSource = own("source");
const madeUpload = own("upload");
const madeToken = own("token");
const uploaded = (caller: Caller) => ({ uri: `upload:${madeUpload(caller)}`, format: "csv" });
const NOWHERE = { connection: "nowhere", uri: "" };

/** What is kept beside datasets: sources, uploads, library sets and tokens. */
export const keeping: readonly Row[] = [
  row(source.listSourceKinds, "loader", { about: seen, request: () => ({}) }),
  row(source.createConnection, "admin", {
    about: seen,
    request: () => ({ connection: { name: "books", uri: "postgresql://reader@127.0.0.1:1/books" } }),
  }),
  row(source.getConnection, "admin", { about: seen, request: () => ({ name: "books" }) }),
  row(source.listConnections, "admin", { about: seen, request: () => ({}) }),
  row(source.updateConnection, "admin", {
    about: seen,
    request: () => ({ connection: { name: "books", maxStatements: 3 } }),
  }),
  row(source.deleteConnection, "admin", { about: seen, request: () => ({ name: "books" }) }),
  row(source.testConnection, "loader", {
    about: sources,
    request: () => ({ connection: { name: "nowhere" } }),
    ends: "CONNECTION_NOT_DEFINED",
  }),
  row(upload.uploadFile, "loader", { about: sources, request: ({ caller }) => uploadOf(madeUpload(caller)) }),
  row(source.createSource, "loader", {
    about: sources,
    request: ({ caller }) => ({
      source: { name: madeSource(caller), source: uploaded(caller) },
    }),
  }),
  row(source.getSource, "loader", {
    about: sources,
    request: ({ caller }) => ({ name: madeSource(caller) }),
  }),
  row(source.listSources, "loader", { about: sources, request: () => ({}) }),
  row(source.updateSource, "loader", {
    about: everything,
    request: ({ caller }) => ({ source: { name: madeSource(caller), labels: { a: "b" } } }),
  }),
  row(source.testSource, "loader", { about: sources, request: ({ caller }) => ({ source: uploaded(caller) }) }),
  row(source.previewSource, "loader", { about: sources, request: () => ({ source: PASTED }) }),
  row(source.listTables, "loader", {
    about: sources,
    request: () => ({ source: NOWHERE }),
    ends: "CONNECTION_NOT_DEFINED",
  }),
  row(source.deleteSource, "loader", { about: everything, request: ({ caller }) => ({ name: madeSource(caller) }) }),
  row(source.exportSources, "admin", { about: seen, request: () => ({}) }),
  row(source.importSources, "admin", { about: seen, request: () => ({ definitions: {} }) }),

  row(
    upload.getUpload,
    "loader",
    { about: sources, request: ({ caller }) => ({ id: madeUpload(caller) }) },
    { about: both(sources, others("UPLOAD_NOT_FOUND")), request: () => ({ id: OTHERS }) },
  ),
  row(upload.listUploads, "loader", { about: sources, request: () => ({}), shows: ["others"] }),
  row(
    upload.deleteUpload,
    "loader",
    { about: sources, request: ({ caller }) => ({ id: madeUpload(caller) }) },
    { about: both(sources, others("UPLOAD_NOT_FOUND")), request: () => ({ id: OTHERS }) },
  ),

  row(library.createLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set", packages: [{ name: "pg", version: "^8" }] }),
    ends: "PACKAGE_VERSION_INEXACT",
  }),
  row(library.getLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.checkLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.listLibrarySets, "admin", { about: seen, request: () => ({}) }),
  row(library.deleteLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.exportLibrarySet, "admin", {
    about: seen,
    request: () => ({ name: "set" }),
    ends: "LIBRARY_SET_NOT_FOUND",
  }),
  row(library.importLibrarySet, "admin", {
    about: seen,
    request: brokenArchive,
    ends: "INVALID_ARCHIVE",
  }),

  row(token.createToken, "admin", {
    about: seen,
    request: ({ caller }) => ({ name: madeToken(caller), role: Role.ADMIN }),
  }),
  row(token.listTokens, "admin", { about: seen, request: () => ({}) }),
  row(token.rotateToken, "admin", { about: seen, request: ({ caller }) => ({ name: madeToken(caller) }) }),
  row(token.revokeToken, "admin", { about: seen, request: ({ caller }) => ({ name: madeToken(caller) }) }),
];

function brokenArchive(): MessageInitShape<typeof ImportLibrarySetRequestSchema>[] {
  return [
    { part: { case: "begin", value: { name: "set" } } },
    { part: { case: "bytes", value: Buffer.from("no archive") } },
    { part: { case: "end", value: {} } },
  ];
}

import {
  createRegistry,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "../../errors/code.ts";
import type {
  ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";

type Asked = ServerReflectionRequest["messageRequest"];
type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Everything that the driver's services are made of. */
export interface Contract {
  readonly services: readonly DescService[];
  readonly files: readonly DescFile[];
  readonly registry: Registry;
}

export function createContract(services: readonly DescService[]): Contract {
  const files = new Set<DescFile>();
  for (const { file } of services) withDependencies(file, files);
  return { services, files: [...files], registry: createRegistry(...files) };
}

/** Answers one question about the contract. What is not there is answered as NOT_FOUND, as the protocol wants. */
export function answerReflection({ services, files, registry }: Contract, asked: Asked): Answer {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return fileAnswer(
        files.find(({ proto }) => proto.name === asked.value),
        asked.value,
      );
    case "fileContainingSymbol":
      return fileAnswer(fileOfSymbol(registry, asked.value), asked.value);
    case "fileContainingExtension": {
      const extendee = registry.getMessage(asked.value.containingType);
      const extension = extendee && registry.getExtensionFor(extendee, asked.value.extensionNumber);
      return fileAnswer(extension?.file, asked.value.containingType);
    }
    case "allExtensionNumbersOfType":
      return extensionNumbers(registry, asked.value);
    case undefined:
      return failure(Code.INVALID_ARGUMENT, "nothing is asked");
  }
}

/** The file with everything that it imports, so that one answer is enough. */
function fileAnswer(file: DescFile | undefined, name: string): Answer {
  if (file === undefined) return failure(Code.NOT_FOUND, `${name} is not known`);
  const fileDescriptorProto = withDependencies(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function extensionNumbers(registry: Registry, typeName: string): Answer {
  const extendee = registry.getMessage(typeName);
  if (extendee === undefined) return failure(Code.NOT_FOUND, `${typeName} is not known`);
  const extensionNumber = extensionsOf(registry, extendee);
  return { case: "allExtensionNumbersResponse", value: { baseTypeName: typeName, extensionNumber } };
}

function extensionsOf(registry: Registry, extendee: DescMessage): number[] {
  return [...registry]
    .filter((type) => type.kind === "extension")
    .filter((extension) => extension.extendee.typeName === extendee.typeName)
    .map(({ number }) => number);
}

/** `package.Message`, `package.Service`, `package.Service.Method`, `package.Message.field`. */
function fileOfSymbol(registry: Registry, symbol: string): DescFile | undefined {
  const parent = symbol.slice(0, Math.max(0, symbol.lastIndexOf(".")));
  const member = symbol.slice(parent.length + 1);
  const found = registry.get(symbol);
  if (found) return found.file;
  const owner = registry.get(parent);
  switch (owner?.kind) {
    case "service":
      return owner.methods.some(({ name }) => name === member) ? owner.file : undefined;
    case "message":
      return owner.fields.some(({ name }) => name === member) ? owner.file : undefined;
    default:
      return undefined;
  }
}

function withDependencies(file: DescFile, seen = new Set<DescFile>()): readonly DescFile[] {
  if (!seen.has(file)) {
    seen.add(file);
    for (const dependency of file.dependencies) withDependencies(dependency, seen);
  }
  return [...seen];
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

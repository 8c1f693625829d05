import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CreateTokenRequestSchema, Role, TokenService } from "../../src/gen/drover/v1/token_service_pb.js";
import type { TestDriver } from "./driver.ts";
import { GrpcClient } from "./grpc-client.ts";

export interface TokenHolder extends Disposable {
  readonly token: string;
  readonly client: GrpcClient;
}

/** Makes a token at a driver and connects with it. */
export async function holdToken(
  driver: Pick<TestDriver, "address" | "token">,
  request: MessageInitShape<typeof CreateTokenRequestSchema>,
): Promise<TokenHolder> {
  using admin = new GrpcClient(driver.address, { token: driver.token });
  const { response } = await admin.unary(TokenService.method.createToken, { role: Role.READER, ...request });
  const client = new GrpcClient(driver.address, { token: response.token });
  return { token: response.token, client, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

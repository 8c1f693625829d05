import type { ListDatasetsRequest, ListDatasetsResponse } from "../gen/drover/v1/dataset_service_pb.js";
import type { Access } from "./access.ts";

type ListDatasets = (request: ListDatasetsRequest) => Promise<ListDatasetsResponse>;

/** Those of the driver. */
const defaultPage = 100;
const maxPage = 1_000;

/**
 * A page of the datasets that a user may read. The driver's token for the next one says what stands last on this one: that must be a
 * dataset which the user may know of.
 */
export async function readablePage(
  asked: ListDatasetsRequest,
  access: Access,
  list: ListDatasets,
): Promise<Pick<ListDatasetsResponse, "datasets" | "nextPageToken">> {
  if (access.mayReadAll || asked.pageSize < 0) return await list(asked);
  const wanted = asked.pageSize || defaultPage;
  for (let { pageToken } = asked; ; ) {
    const found = await list({ ...asked, pageToken, pageSize: maxPage });
    const readable = found.datasets.filter(({ name }) => access.mayRead(name));
    const datasets = readable.slice(0, wanted);
    const last = datasets.at(-1);
    if (last === undefined && found.nextPageToken !== "") {
      pageToken = found.nextPageToken;
      continue;
    }
    if (last === undefined || (found.nextPageToken === "" && readable.length === datasets.length))
      return { datasets, nextPageToken: "" };
    if (last === found.datasets.at(-1)) return { datasets, nextPageToken: found.nextPageToken };
    const shorter = await list({ ...asked, pageToken, pageSize: found.datasets.indexOf(last) + 1 });
    // Datasets come and go.
    if (shorter.datasets.at(-1)?.name === last.name) return { datasets, nextPageToken: shorter.nextPageToken };
  }
}

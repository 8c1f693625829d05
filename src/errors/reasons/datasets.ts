import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of datasets and the data directory. */
export const datasetsReasons = {
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
} as const satisfies Record<string, ReasonEntry>;

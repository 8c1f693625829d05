import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of library sets and what their packages offer. */
export const librarySetsReasons = {
  LIBRARY_SET_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "There is no library set of this name.",
    help: "`drover library-sets list` shows those that there are. Where a profile names it, so that no driver starts, take it out of there until it is made.",
    retryable: false,
  },
  LIBRARY_SET_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "The name belongs to a library set with other packages or settings.",
    help: "Choose another name, or say `--replace`: drivers that start from then on work with the new one.",
    retryable: false,
  },
  LIBRARY_SET_IN_USE: {
    code: Code.FAILED_PRECONDITION,
    when: "A library set that drivers work with can't be deleted.",
    help: "Take the set out of the configuration that the message names, and wait until the drivers with it have ended.",
    retryable: false,
  },
  LIBRARY_SET_DAMAGED: {
    code: Code.DATA_LOSS,
    when: "A file of a library set is missing, was altered, or was added. Nothing of it is run.",
    help: "Create the set again, or import its archive, each with `--replace`, or delete it. Where the profile names it, so that no driver starts, take it out of there until then.",
    retryable: false,
  },
  LIBRARY_SET_INCOMPATIBLE: {
    code: Code.FAILED_PRECONDITION,
    when: "A library set holds code for another operating system or processor.",
    help: "Create it on this machine, from its lockfile for example.",
    retryable: false,
  },
  LIBRARY_SET_LACKS_KIND: {
    code: Code.FAILED_PRECONDITION,
    when: "The configuration has a library set serve a kind of source for which it holds neither a connector nor a client library.",
    help: "Mend `librarySets.kinds`. To create the set again with the package that it lacks, take it out of the profile first, so that a driver starts; `drover library-sets show` tells what it serves.",
    retryable: false,
  },
  LIBRARY_SET_UNCONFINED: {
    code: Code.FAILED_PRECONDITION,
    when: "A path that workers with library sets need, of the data directory, the driver's program or a module with parsers, has an asterisk in it, so that their permissions can't name it.",
    help: "Move what the message names to a path without an asterisk; sources may lie anywhere.",
    retryable: false,
  },
  INVALID_LIBRARY_SET: {
    code: Code.INVALID_ARGUMENT,
    when: "What a library set is to hold contradicts itself: no package or one of them twice, a setting for a kind that it does not serve, scripts of a package that it does not hold.",
    help: "Mend what the message names.",
    retryable: false,
  },
  INVALID_ARCHIVE: {
    code: Code.INVALID_ARGUMENT,
    when: "A file is no archive of a library set, or not all of it, holds links, paths that leave it, or files whose hash is another one, or says of its packages what they and its lockfile do not.",
    help: "Export the set again, and copy the file whole.",
    retryable: false,
  },
  INVALID_LOCKFILE: {
    code: Code.INVALID_ARGUMENT,
    when: "A lockfile can't be read, misses the hash of a package, or names packages that come from no registry: folders, links, Git.",
    help: "Have npm 7 or later write it, with packages of a registry only.",
    retryable: false,
  },
  PACKAGE_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "The registry, or the folder of packages, has no package of this name.",
    help: "Check the name and the registry; a folder must hold every package that is needed, dependencies too.",
    retryable: false,
  },
  PACKAGE_VERSION_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "The package has no such version, or none that another package asks for.",
    help: "Give one of the versions that the message names, or look the package up in its registry.",
    retryable: false,
  },
  PACKAGE_VERSION_INEXACT: {
    code: Code.INVALID_ARGUMENT,
    when: "A package was asked for without a version, with a range or a tag, or by a path or URL.",
    help: "Give name and exact version: `pg@8.11.3`.",
    retryable: false,
  },
  PACKAGE_DAMAGED: {
    code: Code.DATA_LOSS,
    when: "A package's bytes do not have the hash that the registry or the lockfile gives, or are no package.",
    help: "Fetch the package again. If it stays, somebody has changed it: do not use it.",
    retryable: false,
  },
  PACKAGE_UNSAFE: {
    code: Code.INVALID_ARGUMENT,
    when: "A package holds links, or files whose paths lead out of its folder.",
    help: "Do not use it: npm itself makes no such packages.",
    retryable: false,
  },
  PACKAGE_INCOMPATIBLE: {
    code: Code.FAILED_PRECONDITION,
    when: "A package needs another Node, another platform, or another version of a package beside it.",
    help: "Choose the version that fits what the message names.",
    retryable: false,
  },
  REGISTRY_UNAVAILABLE: {
    code: Code.UNAVAILABLE,
    when: "The package registry can't be reached, refuses the driver, or broke off.",
    help: "Check `librarySets.registry` and the npm configuration of the driver's user: address, proxy, token. Without a network use a folder or an archive.",
    retryable: true,
  },
  INSTALL_FAILED: {
    code: Code.FAILED_PRECONDITION,
    when: "npm or an install script of a package failed.",
    help: "The message is npm's or the script's own.",
    retryable: false,
  },
  CONNECTOR_INVALID: {
    code: Code.INVALID_ARGUMENT,
    when: "A package's `drover` entry can't be read, names a module that is not there, or one that offers no connector.",
    help: "Have its author mend it: docs/connectors.md says what a package declares.",
    retryable: false,
  },
  CONNECTOR_INTERFACE_UNKNOWN: {
    code: Code.FAILED_PRECONDITION,
    when: "A package was made for a connector interface that this driver does not have.",
    help: "Choose a version of the package for this driver, or upgrade the driver.",
    retryable: false,
  },
  CONNECTOR_FAILED: {
    code: Code.INTERNAL,
    when: "The code of a package failed in a way that its author has not foreseen; the metadata names package and version.",
    help: "Report it to the package's author; the driver's log has it in full. `drover library-sets check` tries a set's connectors.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;

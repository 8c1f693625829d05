/**
 * The version of this interface, for `"interface"` in the `drover` entry of a package.json. It grows when connectors that were made
 * for the one before would no longer work; what is only added leaves it as it is.
 */
export const INTERFACE_VERSION = 1;

/** The contract that this client speaks. */
export const apiVersion = "drover.v1";

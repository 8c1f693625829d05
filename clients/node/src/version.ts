/** This client's product version. */
export const clientVersion = "0.1.0";

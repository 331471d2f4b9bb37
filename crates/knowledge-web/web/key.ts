// Where this browser keeps the API key, for all pages of the server.

export const STORED_KEY = 'knowledge.api-key';

/** What names a key to the server, in headers and in `connection_init`. */
export function authorization(key: string | null): { authorization?: string } {
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

import { randomBytes } from 'node:crypto';

/** browsed: must stay inside the places; chosen: a person picked it in a native dialog; upload: `path` is the id of an upload. */
export interface TokenMeaning {
  readonly origin: 'browsed' | 'chosen' | 'upload';
  readonly path: string;
}

export interface FileTokens {
  /** The same token for the same meaning, as long as it is remembered. */
  give(meaning: TokenMeaning): string;
  find(token: string): TokenMeaning | undefined;
  forget(token: string): void;
}

/** Tokens of one life of the core; the least recently used are forgotten beyond `most`. */
export function createFileTokens(most = 100_000): FileTokens {
  const meanings = new Map<string, TokenMeaning>();
  const tokens = new Map<string, string>();
  const keyOf = ({ origin, path }: TokenMeaning): string => `${origin} ${path}`;
  const touch = (token: string, meaning: TokenMeaning): void => {
    meanings.delete(token);
    meanings.set(token, meaning);
  };
  const forget = (token: string): void => {
    const meaning = meanings.get(token);
    meanings.delete(token);
    if (meaning !== undefined) tokens.delete(keyOf(meaning));
  };
  return {
    give(meaning) {
      const token = tokens.get(keyOf(meaning)) ?? randomBytes(18).toString('base64url');
      tokens.set(keyOf(meaning), token);
      touch(token, meaning);
      const [oldest] = meanings.keys();
      if (meanings.size > most && oldest !== undefined) forget(oldest);
      return token;
    },
    find(token) {
      const meaning = meanings.get(token);
      if (meaning !== undefined) touch(token, meaning);
      return meaning;
    },
    forget,
  };
}

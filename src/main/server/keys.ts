// Keys of addresses: each opens the lab once, in one browser. They live in this process only and are never written or logged.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';

export interface Keys {
  /** 32 random bytes as base64url. */
  issue(): string;
  /** True once for each key that was issued; after ten wrong ones in a row every answer takes a second. */
  redeem(key: string): Promise<boolean>;
}

const freeFailures = 10;
const delayMs = 1000;

export function createKeys(): Keys {
  const open = new Set<Buffer>();
  let failures = 0;
  return {
    issue: () => {
      const key = randomBytes(32).toString('base64url');
      open.add(digest(key));
      return key;
    },
    redeem: async (key) => {
      if (failures >= freeFailures) await rest(delayMs);
      const given = digest(key);
      // Every open key is compared, so that the time tells nothing.
      const fitting = [...open].filter((known) => timingSafeEqual(known, given));
      for (const known of fitting) open.delete(known);
      failures = fitting.length > 0 ? 0 : failures + 1;
      return fitting.length > 0;
    },
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

// What a page may never do, collected while a test runs: report an error or a warning, throw, break its content security policy, or ask
// for anything that is not the lab's.
import type { BrowserContext } from '@playwright/test';

const cspPrefix = 'Content security policy broken:';
/** What the browser itself reports of requests that nobody answered; allowed only while the lab is away. */
const unanswered = /Failed to load resource: net::ERR_(CONNECTION|EMPTY|SOCKET|NETWORK)|WebSocket connection to .* failed/;

export interface Offences {
  /** One line each, in the order in which they happened; without those that an absent lab explains when there was one. */
  readonly list: (wasLabAway: boolean) => string[];
}

/** Watches every page of the context; those that are already open must be loaded again for their policy to be watched. */
export async function watchOffences(context: BrowserContext, origin: string): Promise<Offences> {
  const found: { readonly text: string; readonly isUnanswered: boolean }[] = [];
  const add = (text: string): void => void found.push({ text, isUnanswered: unanswered.test(text) });
  const isOwn = (url: string): boolean => url.startsWith(`${origin}/`) || url.startsWith('data:') || url.startsWith(`blob:${origin}/`);
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') add(message.text());
  });
  context.on('weberror', (problem) => add(String(problem.error())));
  context.on('request', (request) => {
    if (!isOwn(request.url())) add(`request to ${request.url()}`);
  });
  const watchSockets = (page: ReturnType<BrowserContext['pages']>[number]): void => {
    page.on('websocket', (socket) => {
      if (!isOwn(socket.url().replace(/^ws/, 'http'))) add(`socket to ${socket.url()}`);
    });
  };
  for (const page of context.pages()) watchSockets(page);
  context.on('page', watchSockets);
  // A policy that only reports would be silent in the console, so the event itself is listened to.
  await context.addInitScript((prefix) => {
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile, lineNumber, columnNumber }) =>
      reportError(`${prefix} ${effectiveDirective} blocked ${blockedURI} at ${sourceFile}:${lineNumber}:${columnNumber}`),
    );
  }, cspPrefix);
  return { list: (wasLabAway) => found.filter((one) => !(wasLabAway && one.isUnanswered)).map(({ text }) => text) };
}

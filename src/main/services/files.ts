// Files of this machine for pages: places to browse, native dialogs and uploads become tokens; only here tokens become paths again.
import { basename, join, sep } from 'node:path';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { FileEntry } from '../../shared/contract/methods/files.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import { createFileTokens, type FileTokens, type TokenMeaning } from './fileTokens.ts';
import { describeFile, listFolder, type ListedEntry } from './folderListing.ts';
import type { HostFeatures } from './host.ts';
import { createPlaces, type Places } from './places.ts';
import { createUploads, type UploadBody, type Uploads } from './uploads.ts';

export interface FilesService {
  places(): Answer<'files.places'>;
  browse(request: HandlerInput<'files.browse'>): Promise<Answer<'files.browse'>>;
  choose(request: HandlerInput<'files.choose'>): Promise<Answer<'files.choose'>>;
  openUpload(request: HandlerInput<'uploads.open'>): Promise<Answer<'uploads.open'>>;
  nameUpload(request: HandlerInput<'uploads.name'>): Answer<'uploads.name'>;
  receiveUpload(uploadId: string, position: number, body: UploadBody, signal: AbortSignal): Promise<void>;
  discardUpload(uploadId: string): Promise<Answer<'uploads.discard'>>;
  /** Answers how many were discarded. */
  discardUnusedUploads(): Promise<number>;
  /** The path a token stands for, checked at this moment; throws `not_found`, or `bad_input` for an upload that is not complete. */
  resolve(token: string): string;
  /** Hands the paths to the work; afterwards, however it ended, the uploads among them are gone. */
  consume<Result>(tokens: readonly string[], work: (paths: string[]) => Promise<Result>): Promise<Result>;
}

export interface FilesSurroundings {
  readonly places: WorkspacePlaces;
  readonly host: HostFeatures;
}

export function createFiles(surroundings: FilesSurroundings): FilesService {
  return new Files(surroundings);
}

const listingAgeMs = 10_000;

class Files implements FilesService {
  readonly #host: HostFeatures;
  readonly #places: Places;
  readonly #tokens: FileTokens = createFileTokens();
  readonly #uploads: Uploads;
  /** The folder that is being paged through. */
  #listing: { readonly folder: string; readonly entries: readonly ListedEntry[]; readonly at: number } | undefined;

  constructor({ places, host }: FilesSurroundings) {
    this.#host = host;
    this.#places = createPlaces(host.browsableFolders);
    this.#uploads = createUploads(places.cache, (uploadId) => this.#tokens.forget(this.#uploadToken(uploadId)));
  }

  places(): Answer<'files.places'> {
    return { places: this.#places.list().map((path) => this.#folderEntry(path)) };
  }

  async browse({ token, offset, limit }: HandlerInput<'files.browse'>): Promise<Answer<'files.browse'>> {
    const meaning = this.#meaning(token);
    const folder = meaning.origin === 'upload' ? undefined : await this.#places.follow(meaning.path);
    if (folder === undefined) throw notBrowsable();
    const listed = await this.#list(folder, offset);
    const shown = await Promise.all(listed.slice(offset, offset + limit).map((entry) => this.#entryIn(folder, entry)));
    return {
      trail: this.#places.trail(folder).map((path) => this.#folderEntry(path)),
      total: listed.length,
      entries: shown.filter((entry) => entry !== undefined),
    };
  }

  async choose({ purpose }: HandlerInput<'files.choose'>): Promise<Answer<'files.choose'>> {
    if (this.#host.choose === undefined) {
      throw new LabError('unsupported', 'This program has no dialogs to choose files with.', { help: 'Browse the folders, or upload.' });
    }
    const paths = await this.#host.choose(purpose);
    const chosen: FileEntry[] = [];
    for (const path of paths) {
      const found = await describeFile(path);
      if (found === undefined) {
        throw new LabError('not_found', `${JSON.stringify(basename(path))} is neither a file nor a folder that can be read.`, {
          help: 'Choose something else.',
        });
      }
      chosen.push({ token: this.#tokens.give({ origin: 'chosen', path }), name: basename(path) || path, ...found });
    }
    return { chosen };
  }

  async openUpload(request: HandlerInput<'uploads.open'>): Promise<Answer<'uploads.open'>> {
    const uploadId = await this.#uploads.open(request);
    return { uploadId, token: this.#uploadToken(uploadId) };
  }

  nameUpload(request: HandlerInput<'uploads.name'>): Answer<'uploads.name'> {
    this.#uploads.name(request);
    return {};
  }

  receiveUpload(uploadId: string, position: number, body: UploadBody, signal: AbortSignal): Promise<void> {
    return this.#uploads.receive(uploadId, position, body, signal);
  }

  discardUnusedUploads(): Promise<number> {
    return this.#uploads.discardUnused();
  }

  async discardUpload(uploadId: string): Promise<Answer<'uploads.discard'>> {
    await this.#uploads.discard(uploadId);
    return {};
  }

  resolve(token: string): string {
    const { origin, path } = this.#meaning(token);
    if (origin === 'upload') return this.#uploads.locate(path);
    const found = origin === 'browsed' ? this.#places.followNow(path) : path;
    if (found === undefined) throw notBrowsable();
    return found;
  }

  async consume<Result>(tokens: readonly string[], work: (paths: string[]) => Promise<Result>): Promise<Result> {
    const paths = tokens.map((token) => this.resolve(token));
    const meanings = tokens.map((token) => this.#meaning(token));
    const uploadIds = meanings.filter(({ origin }) => origin === 'upload').map(({ path }) => path);
    try {
      return await this.#uploads.hold(uploadIds, () => work(paths));
    } catch (error) {
      throw withoutPaths(error, uploadIds.length === 0 ? [] : paths);
    } finally {
      for (const uploadId of uploadIds) await this.#uploads.discard(uploadId);
    }
  }

  async #list(folder: string, offset: number): Promise<readonly ListedEntry[]> {
    const known = this.#listing;
    // The first page is always read anew.
    if (offset > 0 && known?.folder === folder && performance.now() - known.at < listingAgeMs) return known.entries;
    const entries = await listFolder(folder, this.#places);
    this.#listing = { folder, entries, at: performance.now() };
    return entries;
  }

  /** Undefined when it is gone, or leads outside, since the folder was listed. */
  async #entryIn(folder: string, { name }: ListedEntry): Promise<FileEntry | undefined> {
    const path = await this.#places.follow(join(folder, name));
    const found = path === undefined ? undefined : await describeFile(path);
    if (path === undefined || found === undefined) return undefined;
    return { token: this.#tokens.give({ origin: 'browsed', path }), name, ...found };
  }

  #folderEntry(path: string): FileEntry {
    const name = this.#places.list().includes(path) ? path : basename(path);
    return { token: this.#tokens.give({ origin: 'browsed', path }), name, kind: 'folder', bytes: null };
  }

  #uploadToken(uploadId: string): string {
    return this.#tokens.give({ origin: 'upload', path: uploadId });
  }

  #meaning(token: string): TokenMeaning {
    const meaning = this.#tokens.find(token);
    if (meaning !== undefined) return meaning;
    throw new LabError('not_found', 'What was chosen is no longer known.', { help: 'Choose the files or the folder again.' });
  }
}

function notBrowsable(): LabError {
  return new LabError('not_found', 'This is not in the folders that may be browsed.', {
    expected: 'a file or folder that was listed and is still where it was',
    help: 'Browse again.',
  });
}

/** Uploaded files are named as the person named them, not by where the lab keeps them. */
function withoutPaths(error: unknown, paths: readonly string[]): unknown {
  if (!(error instanceof LabError) || paths.length === 0) return error;
  const clean = (text: string | undefined): string | undefined =>
    paths.reduce((left, path) => left?.replaceAll(path + sep, '').replaceAll(path, basename(path)), text);
  const details = { expected: clean(error.expected), received: clean(error.received), help: clean(error.help) };
  const known = Object.fromEntries(Object.entries(details).filter(([, text]) => text !== undefined));
  return new LabError(error.code, clean(error.message) ?? '', { ...known, cause: error });
}

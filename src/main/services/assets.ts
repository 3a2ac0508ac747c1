// What pages fetch by URL and send as files: pictures, report files, uploads. Hosts translate HTTP and lab:// to this and back.
// Addresses are compared as they came, nothing is decoded; an address that is not exactly one of ours is 404.
import { LabError, toWire, type ErrorCode } from '../../shared/contract/errors.ts';
import { parsePicturePath, type PictureAddress } from '../../shared/domain/pictures.ts';
import type { FilesService } from './files.ts';
import type { PicturesService } from './pictures.ts';
import type { ReportsService } from './reports.ts';
import type { WeightsService } from './weights.ts';

export interface AssetRequest {
  readonly method: string;
  /** The path of the URL as received, beginning with '/', without query. */
  readonly path: string;
  readonly body: AsyncIterable<Uint8Array> | null;
}

export interface AssetAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or a file of this machine to send. */
  readonly body: Uint8Array | { readonly file: string } | null;
}

export interface AssetService {
  /** Never throws: problems become an answer with an error status and a JSON body. */
  respond(request: AssetRequest, signal: AbortSignal): Promise<AssetAnswer>;
}

export interface AssetsSurroundings {
  readonly files: Pick<FilesService, 'receiveUpload'>;
  readonly pictures: Pick<PicturesService, 'draw'>;
  readonly reports: Pick<ReportsService, 'findFile'>;
  readonly weights: Pick<WeightsService, 'findFile'>;
}

export function createAssets({ files, pictures, reports, weights }: AssetsSurroundings): AssetService {
  const answer = async ({ method, path, body }: AssetRequest, signal: AbortSignal): Promise<AssetAnswer> => {
    const address = parseAddress(path);
    if (address === undefined) throw nothingHere();
    const wanted = address.type === 'upload' ? 'PUT' : 'GET';
    if (method !== wanted) return refuse(405, new LabError('bad_usage', `This address takes ${wanted} only.`), { Allow: wanted });
    if (address.type === 'upload') {
      await files.receiveUpload(address.uploadId, address.position, body, signal);
      return { status: 204, headers: { 'Cache-Control': 'no-store' }, body: null };
    }
    if (address.type === 'report') return answerFile(reports.findFile(address.reportId, address.name), address.name);
    if (address.type === 'exported') return answerFile(weights.findFile(address.exportId, address.name), address.name);
    return { status: 200, headers: pictureHeaders, body: await pictures.draw(address, signal) };
  };
  return {
    respond: async (request, signal) => {
      try {
        return await answer(request, signal);
      } catch (error) {
        return refuse(statusOf(toWire(error).code), error);
      }
    },
  };
}

const pictureHeaders = {
  'Content-Type': 'image/png',
  // The fingerprint in the address says which bytes these are.
  'Cache-Control': 'public, max-age=31536000, immutable',
  'X-Content-Type-Options': 'nosniff',
};

type Address =
  | PictureAddress
  | { readonly type: 'report'; readonly reportId: string; readonly name: string }
  | { readonly type: 'exported'; readonly exportId: string; readonly name: string }
  | { readonly type: 'upload'; readonly uploadId: string; readonly position: number };

const reportForm = /^\/report\/([A-Za-z0-9_-]{8,64})\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;
const exportedForm = /^\/exported\/([A-Za-z0-9_-]{8,64})\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;
const uploadForm = /^\/upload\/([A-Za-z0-9_-]{8,64})\/(0|[1-9][0-9]{0,5})$/;
const contentTypes: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  csv: 'text/csv; charset=utf-8',
  h5: 'application/x-hdf5',
  tar: 'application/x-tar',
};

function parseAddress(path: string): Address | undefined {
  const [, reportId, name] = reportForm.exec(path) ?? [];
  if (reportId !== undefined && name !== undefined) return { type: 'report', reportId, name };
  const [, exportId, fileName] = exportedForm.exec(path) ?? [];
  if (exportId !== undefined && fileName !== undefined) return { type: 'exported', exportId, name: fileName };
  const [, uploadId, position] = uploadForm.exec(path) ?? [];
  if (uploadId !== undefined) return { type: 'upload', uploadId, position: Number(position) };
  return parsePicturePath(path);
}

function answerFile(found: { readonly file: string } | undefined, name: string): AssetAnswer {
  const type = contentTypes[name.slice(name.lastIndexOf('.') + 1)];
  if (found === undefined || type === undefined) throw nothingHere();
  const headers = {
    'Content-Type': type,
    'Content-Disposition': `attachment; filename="${name}"`,
    'Content-Security-Policy': 'sandbox',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
  return { status: 200, headers, body: { file: found.file } };
}

function nothingHere(): LabError {
  return new LabError('not_found', 'There is nothing at this address.', { help: 'Load the page again.' });
}

function statusOf(code: ErrorCode): number {
  if (code === 'not_found' || code === 'dataset_missing') return 404;
  if (code === 'limit_exceeded') return 413;
  return code === 'bad_input' || code === 'bad_usage' || code === 'conflict' ? 400 : 500;
}

function refuse(status: number, error: unknown, headers: Readonly<Record<string, string>> = {}): AssetAnswer {
  return {
    status,
    headers: {
      ...headers,
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    },
    body: Buffer.from(JSON.stringify({ error: toWire(error) })),
  };
}

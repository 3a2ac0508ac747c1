// What a person dropped or chose, as files with their folders. Folders are walked; what desktops leave in them is left out.
import { LabError } from '../../../shared/contract/errors.ts';
import type { SentFile } from '../../stores/uploads.ts';

const mostFiles = 200_000;
const leftovers = /^(\..*|thumbs\.db|desktop\.ini|__macosx)$/i;

/** Must be called while the drop is being handled; throws `limit_exceeded` for more files than an upload takes. */
export async function readDropped(items: DataTransferItemList): Promise<SentFile[]> {
  // The list is emptied when the handler has returned.
  const entries = [...items].filter(({ kind }) => kind === 'file').map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: SentFile[] = [];
  for (const entry of entries) {
    if (entry instanceof File) add(found, entry.name, entry);
    else if (entry !== null) await walk(entry, found);
  }
  return found;
}

/** Of an input element: with their folders when a folder was chosen. */
export function readChosen(files: FileList): SentFile[] {
  const found: SentFile[] = [];
  for (const file of files) {
    const path = file.webkitRelativePath === '' ? file.name : file.webkitRelativePath;
    if (!path.split('/').some((part) => leftovers.test(part))) add(found, path, file);
  }
  return found;
}

/** The name that the files suggest: that of the folder, else of the first file without its endings. */
export function suggestName(files: readonly { readonly path: string }[]): string {
  const [first = ''] = files.map(({ path }) => path);
  const [top = '', ...rest] = first.split('/');
  if (rest.length > 0 && files.every(({ path }) => path.startsWith(`${top}/`))) return top;
  return rest.length > 0 ? '' : nameWithoutEndings(top);
}

export function nameWithoutEndings(file: string): string {
  return file.replace(/(\.(tar|gz|tgz|csv|bin|zip))+$/i, '');
}

async function walk(entry: FileSystemEntry, found: SentFile[]): Promise<void> {
  if (leftovers.test(entry.name)) return;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    add(found, entry.fullPath.replace(/^\//, ''), file);
  } else if (isFolder(entry)) {
    for (const child of await listFolder(entry)) await walk(child, found);
  }
}

/** The reader answers in pieces; an empty one is the end. */
async function listFolder(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const piece = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (piece.length === 0) return all;
    all.push(...piece);
  }
}

function add(found: SentFile[], path: string, file: File): void {
  if (found.length >= mostFiles) {
    throw new LabError('limit_exceeded', 'These are more files than can be sent to the lab at once.', {
      expected: `at most ${mostFiles} files`,
      help: "Copy the folder to the lab's machine and choose it there.",
    });
  }
  found.push({ path, file });
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

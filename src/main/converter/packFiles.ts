import { pack } from 'tar-stream';

/** A tar archive of the files in one folder; equal files give equal bytes. */
export async function packFiles(
  folder: string,
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[],
): Promise<Uint8Array> {
  const archive = pack();
  for (const { path, bytes } of files) {
    const name = `${folder}/${path.replaceAll('\\', '/')}`;
    archive.entry({ name, mtime: new Date(0), mode: 0o644 }, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

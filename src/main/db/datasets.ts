// All SQL of the datasets. The pictures lie in files; a row says that they were put there completely.
import type { Database } from 'better-sqlite3';
import { datasetManifestSchema, type DatasetManifest } from '../../shared/contract/dataset.ts';

export interface DatasetStore {
  put(manifest: DatasetManifest): void;
  find(datasetId: string): DatasetManifest | undefined;
  findByFingerprint(fingerprint: string): DatasetManifest | undefined;
  list(): DatasetManifest[];
  remove(datasetId: string): void;
}

export function createDatasetStore(database: Database): DatasetStore {
  const put = database.prepare('INSERT OR REPLACE INTO datasets (dataset_id, fingerprint, manifest, imported_at) VALUES (?, ?, ?, ?)');
  const find = database.prepare<[string], string>('SELECT manifest FROM datasets WHERE dataset_id = ?').pluck();
  const byFingerprint = database.prepare<[string], string>('SELECT manifest FROM datasets WHERE fingerprint = ?').pluck();
  const list = database.prepare<[], string>('SELECT manifest FROM datasets ORDER BY dataset_id').pluck();
  const remove = database.prepare('DELETE FROM datasets WHERE dataset_id = ?');
  const parse = (text: string | undefined): DatasetManifest | undefined =>
    text === undefined ? undefined : datasetManifestSchema.parse(JSON.parse(text));
  return {
    put: (manifest) => void put.run(manifest.id, manifest.fingerprint, JSON.stringify(manifest), manifest.createdAt),
    find: (datasetId) => parse(find.get(datasetId)),
    findByFingerprint: (fingerprint) => parse(byFingerprint.get(fingerprint)),
    list: () => list.all().map((text) => datasetManifestSchema.parse(JSON.parse(text))),
    remove: (datasetId) => void remove.run(datasetId),
  };
}

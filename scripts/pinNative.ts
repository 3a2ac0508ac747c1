/**
 * Renews resources/native.json after a person has changed a version in it: checksums and sizes of wheels and sources.
 *
 * Fetches every wheel whose `sha256` is empty, or all of them with --all; check the result against a second source before
 * committing it. Run it with `node scripts/bootstrap.mjs node scripts/pinNative.ts`.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hashFile, type NativePins, type WheelPin } from '../src/main/nativeRuntime.ts';
import { downloadWheel } from './setup/wheels.ts';
import { readZipEntries } from './setup/zipArchive.ts';

type Writable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

const root = resolve(import.meta.dirname, '..');
const pinsFile = join(root, 'resources', 'native.json');
const pins = JSON.parse(readFileSync(pinsFile, 'utf8')) as NativePins;

const checksums: Record<string, string> = pins.binding.checksums;
for (const file of Object.keys(checksums)) checksums[file] = await hashFile(join(root, 'node_modules', file));
for (const platform of Object.values(pins.builds)) {
  for (const build of Object.values(platform)) {
    for (const wheel of build.wheels) {
      if (wheel.sha256 !== '' && !process.argv.includes('--all')) continue;
      await renew(wheel);
      save();
    }
  }
}
save();

function save(): void {
  writeFileSync(pinsFile, `${JSON.stringify(pins, undefined, 2)}\n`);
}

async function renew(wheel: Writable<WheelPin>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'transfer-lab-pins-'));
  try {
    const file = await downloadWheel(wheel, pins, folder);
    const kept = (await readZipEntries(file)).filter((entry) => wheel.keep.some((prefix) => entry.name.startsWith(prefix)));
    wheel.sha256 = await hashFile(file);
    wheel.sizeBytes = statSync(file).size;
    wheel.unpackedBytes = kept.reduce((sum, entry) => sum + entry.sizeBytes, 0);
    process.stdout.write(`${wheel.package} ${wheel.version}: ${wheel.sizeBytes} bytes, ${wheel.unpackedBytes} unpacked\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

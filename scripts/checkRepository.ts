/**
 * Rules about the repository that no other tool checks: what may not stand in its files, and the form of its records.
 *
 * Prints one line per offence and fails when there is one.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

type LockedPackage = { readonly resolved?: string; readonly dev?: boolean; readonly license?: string; readonly link?: boolean };

const root = resolve(import.meta.dirname, '..');
/** Written in parts, because this file is checked too. */
const REGISTRY_HOSTS = [
  ['registry', 'npmjs', 'org'],
  ['registry', 'yarnpkg', 'com'],
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
].map((parts) => parts.join('.'));
const HOME_FOLDER = /(?<![\w.])\/(?:home|Users)\/[\w.-]+\/|(?<![\w.$}])\/root\//;
const LICENCES = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'LGPL-3.0-or-later',
  'MIT',
  'NIST-Software',
  'Unlicense',
  'Zlib',
];
/** Packages whose package.json names no licence, or only a file; what their licence files say. */
const LICENCE_FILES: Readonly<Record<string, string>> = {
  'node_modules/png-js': 'MIT',
  // Its own code, and the HDF5 library within it.
  'node_modules/h5wasm': 'NIST-Software AND BSD-3-Clause',
};
const CHANGELOG_HEADING = /^(# Changelog|## .+|### (Added|Improved|Fixed|Removed))$/;
const SKIPPED_FOLDERS = new Set(['.git', 'node_modules', 'out', '.venv', '__pycache__', 'test-results']);

const offences = [...checkTexts(), ...checkLockFile(), ...checkChangelog(), ...checkDecisions()];
for (const offence of offences) process.stdout.write(`${offence}\n`);
process.exitCode = offences.length > 0 ? 1 : 0;

function checkTexts(): string[] {
  const places = [root, homedir()].filter((place) => place.length > 1);
  return listFiles().flatMap((file) => {
    const content = readFileSync(join(root, file));
    if (content.subarray(0, 8000).includes(0)) return [];
    const found: string[] = [];
    content
      .toString('utf8')
      .split('\n')
      .forEach((line, index) => {
        const host = REGISTRY_HOSTS.find((name) => line.includes(name));
        if (host !== undefined) found.push(`${file}:${index + 1}: names the package registry ${host}`);
        if (HOME_FOLDER.test(line) || places.some((place) => line.includes(`${place}/`)))
          found.push(`${file}:${index + 1}: holds a path of one machine`);
      });
    return found;
  });
}

/** Tracked files and new ones that are not ignored; without git, everything outside the folders that are made. */
function listFiles(): string[] {
  try {
    const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return list.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
  } catch {
    return walk('');
  }
}

function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile()) return [join(folder, entry.name)];
    return entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name) ? walk(join(folder, entry.name)) : [];
  });
}

function checkLockFile(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockedPackage> };
  return Object.entries(packages).flatMap(([name, entry]) => {
    const found: string[] = [];
    if (entry.resolved !== undefined)
      found.push(`package-lock.json: ${name} has a download address; npm leaves it out with the .npmrc of this checkout`);
    if (name !== '' && entry.dev !== true && !hasAllowedLicence(LICENCE_FILES[name] ?? entry.license)) {
      found.push(
        `package-lock.json: ${name} has the licence ${entry.license ?? 'unknown'}, which is not in the list of scripts/checkRepository.ts`,
      );
    }
    return found;
  });
}

/** Expressions such as `(MIT OR Apache-2.0)`: one allowed alternative is enough, but every part of an AND is needed. */
function hasAllowedLicence(licence = ''): boolean {
  const alternatives = licence.replace(/[()]/g, '').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every((name) => LICENCES.includes(name.trim())));
}

function checkChangelog(): string[] {
  const path = join(root, 'CHANGELOG.md');
  if (!existsSync(path)) return ['CHANGELOG.md is missing'];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    const isGood = line === '' || CHANGELOG_HEADING.test(line) || /^- \S.*\.$/.test(line);
    return isGood ? [] : [`CHANGELOG.md:${index + 1}: expected a heading (Added, Improved, Fixed, Removed) or one line "- Sentence."`];
  });
}

function checkDecisions(): string[] {
  const folder = join(root, 'docs', 'decisions');
  if (!existsSync(folder)) return ['docs/decisions is missing'];
  const numbers = new Set<string>();
  return readdirSync(folder).flatMap((name) => {
    const number = /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1];
    if (number === undefined) return [`docs/decisions/${name}: expected NNNN-title.md`];
    if (numbers.has(number)) return [`docs/decisions/${name}: the number ${number} is taken`];
    numbers.add(number);
    return [];
  });
}

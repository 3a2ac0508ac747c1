// The layer rules of docs/architecture.md as data. Every import counts, type imports and dynamic ones included; so do cycles.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

interface Import {
  readonly file: string;
  /** Path from src/ for own files, the package or node:name otherwise. */
  readonly target: string;
}

interface Rule {
  readonly name: string;
  readonly files: RegExp;
  readonly never: readonly RegExp[];
}

const core = [/^main\//, /^renderer\//, /^preload\//];
const imageLibraries = /^(sharp|@napi-rs\/canvas)$/;
const tfjs = /^@tensorflow\//;
const rules: readonly Rule[] = [
  {
    name: 'shared/domain is pure',
    files: /^shared\/domain\//,
    never: [/^node:/, /^electron/, /^vue/, /^pinia/, /^shared\/rpc/, ...core],
  },
  { name: 'only charts know what a chart is', files: /^shared\/domain\/(?!charts\/)/, never: [/^echarts/] },
  { name: 'shared/contract and rpc run anywhere', files: /^shared\/(contract\/|rpc)/, never: [/^node:/, /^electron/, /^vue/, ...core] },
  {
    name: 'hosts are thin',
    files: /^main\/((index|desktop|server|cli)\.ts$|(server|desktop|hosts)\/)/,
    never: [
      /^better-sqlite3/,
      /^main\/db\//,
      /^main\/services\//,
      /^main\/engine\//,
      /^main\/data\//,
      /^main\/trainer/,
      imageLibraries,
      tfjs,
    ],
  },
  {
    name: 'the core loads no TensorFlow',
    files: /^main\/core\.ts$/,
    never: [/^main\/(engine|data|trainer|viewer)\b/, tfjs, imageLibraries],
  },
  {
    name: 'only the Electron host knows Electron',
    files: /^(?!main\/(index\.ts|desktop\.ts|desktop\/)|preload\/)/,
    never: [/^electron(\/|$)/],
  },
  { name: 'the preload script stands alone', files: /^preload\//, never: [/^(?!electron$)/] },
  { name: 'handlers only translate', files: /^main\/handlers/, never: [/^main\/(db|engine|data|trainer|viewer)\b/, /^better-sqlite3/] },
  {
    name: 'services do not reach up or into the trainer',
    files: /^main\/services\//,
    never: [/^main\/(handlers|engine|data|trainer|viewer|cli|core)\b/, tfjs, /^shared\/rpc/, /^renderer\//, imageLibraries],
  },
  { name: 'db is SQL only', files: /^main\/db\//, never: [/^main\/(services|handlers|engine|data|trainer|cli)\b/, /^shared\/domain\//] },
  {
    name: 'the trainer side knows no history',
    files: /^main\/(trainer|engine|data|importer|viewer|converter)/,
    never: [/^main\/(db|services|handlers|cli|core)\b/, /^shared\/rpc/, /^shared\/contract\/api/, /^ws$/, /^better-sqlite3/],
  },
  {
    name: 'the report child knows what it is told',
    files: /^main\/reporter/,
    never: [/^main\/(db|services|handlers|cli|core|engine|data)\b/, /^shared\/rpc/, /^ws$/, /^better-sqlite3/, imageLibraries, tfjs],
  },
  { name: 'only the report child lays out', files: /^main\/(?!reporter)/, never: [/^pdfmake/, /^csv-stringify/, /^echarts/] },
  { name: 'only the converter child reads HDF5', files: /^(?!main\/converter)/, never: [/^h5wasm/, /^main\/converter/] },
  { name: 'tfjs stays in two files', files: /^main\/engine\/(?!native\.ts|protobuf\.ts|savedModel\.ts)/, never: [tfjs] },
  { name: 'the engine does not know the trainer', files: /^main\/engine\//, never: [/^main\/(trainer|data)\b/] },
  { name: 'data does not know engine or trainer', files: /^main\/data\//, never: [/^main\/(trainer|engine)\b/] },
  {
    name: 'the renderer lives in a page',
    files: /^renderer\//,
    never: [/^node:/, /^electron/, /^main\//, /^preload\//, /^shared\/contract\/worker/, /^shared\/rpcServer/],
  },
  {
    name: 'components know props and events only',
    files: /^renderer\/components\//,
    never: [/^renderer\/(stores|views|connection|injection|router|session)/],
  },
  { name: 'views draw no charts themselves', files: /^renderer\/(views\/|App)/, never: [/^echarts/, /^vue-echarts/, /^shared\/rpc/] },
  {
    name: 'stores know nothing that is seen',
    files: /^renderer\/stores\//,
    never: [/^renderer\/(views|components|App)/, /^echarts/, /^vue-router/, /^@nuxt\//],
  },
  { name: 'the preload script is one bridge', files: /^preload\//, never: [/^(?!electron$)/] },
  { name: 'src does not import tests', files: /./, never: [/^\.\.\/(?!resources\/)/] },
];

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|vue)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.slice(root.length).includes('node_modules'));
}

/** The whole of a TypeScript file, the script blocks of a Vue file. */
function readScript(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (!path.endsWith('.vue')) return text;
  return [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '').join('\n');
}

/** Static, type-only, re-exported, import("...") types and dynamic imports. */
function readImports(path: string): string[] {
  const text = readScript(path);
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      found.push(node.moduleSpecifier.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      found.push(node.argument.literal.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const argument = node.arguments[0];
      if (argument && ts.isStringLiteral(argument)) found.push(argument.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function resolveTarget(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return relative(join(root, 'src'), join(dirname(file), specifier)).replaceAll('\\', '/');
  return builtinModules.includes(specifier) ? `node:${specifier}` : specifier;
}

const files = listFiles(join(root, 'src'));
const imports: readonly Import[] = files.flatMap((path) =>
  readImports(path).map((specifier) => ({
    file: relative(join(root, 'src'), path).replaceAll('\\', '/'),
    target: resolveTarget(path, specifier),
  })),
);

/** Broken rules as `file -> target (rule)`. */
function findViolations(found: readonly Import[]): string[] {
  return found.flatMap(({ file, target }) =>
    rules
      .filter((rule) => rule.files.test(file) && rule.never.some((pattern) => pattern.test(target)))
      .map((rule) => `${file} -> ${target} (${rule.name})`),
  );
}

function findCycle(found: readonly Import[]): string[] {
  const graph = new Map<string, string[]>();
  for (const { file, target } of found) if (target.endsWith('.ts')) graph.set(file, [...(graph.get(file) ?? []), target]);
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const target of graph.get(file) ?? []) {
      const cycle = visit(target, [...trail, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** Everything that loading a file loads, types included. */
function findReached(found: readonly Import[], start: string): string[] {
  const reached = new Set([start]);
  for (const file of reached) for (const edge of found) if (edge.file === file) reached.add(edge.target);
  return [...reached];
}

describe('layers', () => {
  it('reads the imports of the whole source', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports).toContainEqual({ file: 'main/engine/native.ts', target: 'main/engine/graph.ts' });
    expect(imports).toContainEqual({ file: 'shared/contract/schema.ts', target: 'zod' });
  });

  it('keeps every layer rule', () => {
    expect(findViolations(imports)).toEqual([]);
  });

  it('gives the pure charts nothing of ECharts but its types', () => {
    const charts = files.filter((path) => path.includes(join('domain', 'charts')));
    expect(charts.length).toBeGreaterThan(4);
    for (const path of charts) expect(readFileSync(path, 'utf8')).not.toMatch(/import (?!type )[^;]*from 'echarts/);
  });

  it('has no import cycle', () => {
    expect(findCycle(imports)).toEqual([]);
  });

  it.each([
    ['shared/domain/rng.ts', 'node:fs'],
    ['main/services/runs.ts', 'main/engine/graph.ts'],
    ['main/trainer/loop.ts', 'main/db/runs.ts'],
    ['main/core.ts', 'main/trainer/loop.ts'],
    ['main/trainer/loop.ts', 'h5wasm'],
    ['main/data/store.ts', 'main/converter/hdf5.ts'],
    ['main/converter/importWeights.ts', 'main/db/runs.ts'],
    ['main/viewer/stores.ts', 'main/services/datasets.ts'],
    ['main/services/pictures.ts', 'main/viewer/pictures.ts'],
    ['main/engine/plan.ts', '@tensorflow/tfjs-node-gpu'],
    ['main/cli.ts', 'main/db/runs.ts'],
    ['main/reporter/document.ts', 'main/db/runs.ts'],
    ['main/services/reports.ts', 'pdfmake'],
    ['shared/domain/numbers.ts', 'echarts'],
    ['main/server/routes.ts', 'main/services/assets.ts'],
    ['renderer/stores/runs.ts', 'renderer/views/RunsView.vue'],
    ['renderer/components/ChartPanel.vue', 'renderer/stores/runs.ts'],
    ['renderer/main.ts', 'main/core.ts'],
  ])('notices %s importing %s', (file, target) => {
    expect(findViolations([{ file, target }])).toHaveLength(1);
  });

  // sharp in Electron's process is an uncatchable crash (electron/electron#46323).
  it.each(['main/index.ts', 'main/cli.ts'])('lets the host %s load no decoder and no TensorFlow', (host) => {
    const reached = findReached(imports, host);
    expect(reached).toContain('better-sqlite3');
    expect(reached.filter((target) => imageLibraries.test(target) || tfjs.test(target))).toEqual([]);
    expect(findReached([...imports, { file: 'main/services/runs.ts', target: 'sharp' }], host)).toContain('sharp');
  });

  it('notices a cycle', () => {
    const cycle = [
      { file: 'a.ts', target: 'b.ts' },
      { file: 'b.ts', target: 'a.ts' },
    ];
    expect(findCycle(cycle)).toEqual(['a.ts', 'b.ts', 'a.ts']);
  });
});

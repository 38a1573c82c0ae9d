import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

import type { Connection, Database } from '../support/databases.ts';

const root = join(import.meta.dirname, '..', '..');
const cache = join(root, '.cache');
const bin = (...path: string[]) => join(root, 'node_modules', ...path);

/** An application of its own: `legacy/`, compiled as its authors would, and run by Node.js without the test runner. */
export interface Project {
  readonly folder: string;
  /** Runs `node` in the project's folder, on this database, and returns what it prints. Throws that when it fails. */
  readonly node: Run;
  /** The same with `mikro-orm`. */
  readonly cli: Run;
}

type Run = (args: readonly string[], connection: Connection, variables?: Record<string, string>) => Promise<string>;

/** Makes a project. It is removed when the test (or the suite) ends. */
export async function createProject(db: Pick<Database, 'defer'>): Promise<Project> {
  const folder = await makeFolder();
  db.defer(() => rm(folder, { recursive: true, force: true }));
  await writeFiles(folder, { ...(await compile()), ...MANIFESTS });

  const node: Run = (args, { dbName, clientUrl }, variables) =>
    run(folder, ['--conditions=mikro-orm-versioning-source', ...args], {
      ...variables,
      MIKRO_ORM_DB_NAME: dbName,
      ...(clientUrl !== undefined && { MIKRO_ORM_CLIENT_URL: clientUrl }),
    });

  return {
    folder,
    node,
    cli: (args, ...more) => node([bin('@mikro-orm', 'cli', 'cli.js'), ...args], ...more),
  };
}

const MANIFESTS = {
  'package.json': JSON.stringify({
    type: 'module',
    devDependencies: { '@mikro-orm/cli': '*' },
    'mikro-orm': { preferTs: false, configPaths: ['./dist/legacy/mikro-orm.config.js'] },
  }),
  'tsconfig.json': '{}',
};

/** Below the workspace, so that a project finds its packages. */
async function makeFolder(): Promise<string> {
  await mkdir(cache, { recursive: true });
  return mkdtemp(join(cache, 'project-'));
}

/** Contents by path in the project's folder. */
type Files = Readonly<Record<string, string>>;

let compiled: Promise<Files> | undefined;

/** Once for all projects of a test file. */
async function compile(): Promise<Files> {
  compiled ??= runCompiler();
  return compiled;
}

async function runCompiler(): Promise<Files> {
  const folder = await makeFolder();

  try {
    const tsconfig = join(root, 'test', 'sources', 'legacy', 'tsconfig.json');
    await run(folder, [bin('typescript', 'bin', 'tsc'), '--project', tsconfig, '--outDir', join(folder, 'dist')]);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const files = paths.map(async path => [relative(folder, path), await readFile(path, 'utf8')] as const);
    return Object.fromEntries(await Promise.all(files));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

async function run(cwd: string, args: readonly string[], variables: Record<string, string> = {}): Promise<string> {
  // by this variable, MikroORM knows that it is tested
  const { VITEST: _, ...inherited } = process.env;
  const env = { ...inherited, NODE_COMPILE_CACHE: join(cache, 'node'), ...variables };

  try {
    return (await promisify(execFile)(process.execPath, args, { cwd, env })).stdout;
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout: string; stderr: string };
    throw new Error(`node ${args.join(' ')} failed.\n${stdout}${stderr}`, { cause });
  }
}

import { readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';

import type { Plugin } from 'vite';
import type { Reporter, TestModule, TestRunEndReason, TestSpecification, Vitest } from 'vitest/node';

import { selectedDatabases } from '../selectedDatabases.ts';
import type { Status } from './covers.ts';
import { findProblems, writePage, type Shown } from './page.ts';

const PAGE = new URL('../../../docs/compatibility.md', import.meta.url);

/** Adds the reporter to those that a run asks for. */
export function compatibility(): Plugin {
  return {
    name: 'compatibility',
    configureVitest({ vitest }) {
      vitest.config.reporters.push(new CompatibilityReporter(vitest) as never);
    },
  };
}

/**
 * Proves docs/compatibility.md: a complete run, of all tests on all databases, fails where a feature of the catalogue is
 * covered by no passing test, or where the page is not the one that the tests write. With `UPDATE_DOCS=1` it writes it.
 */
class CompatibilityReporter implements Reporter {
  readonly #vitest: Vitest;
  #isComplete = false;

  constructor(vitest: Vitest) {
    this.#vitest = vitest;
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    const { testNamePattern, shard, tagsFilter, bail } = this.#vitest.config;
    const all = await this.#vitest.globTestSpecifications();
    this.#isComplete =
      specifications.length === all.length &&
      ![testNamePattern, shard, tagsFilter?.length, bail].some(Boolean) &&
      selectedDatabases().length === selectedDatabases('').length;
  }

  async onTestRunEnd(modules: readonly TestModule[], _: unknown, reason: TestRunEndReason): Promise<void> {
    // a run that failed has said what is wrong
    if (!this.#isComplete || reason !== 'passed') {
      return;
    }

    const shown = modules.flatMap(module => readModule(module, this.#vitest.config.root));
    const problems = findProblems(shown);

    if (problems.length === 0) {
      problems.push(...(await this.#comparePage(writePage(shown))));
    }

    if (problems.length > 0) {
      this.#vitest.logger.error(['docs/compatibility.md is not what the tests show:', ...problems].join('\n- '));
      process.exitCode = 1;
    }
  }

  async #comparePage(page: string): Promise<string[]> {
    if (process.env['UPDATE_DOCS']) {
      await writeFile(PAGE, page);
      return [];
    }

    const current = await readFile(PAGE, 'utf8').catch(() => '');
    return current === page ? [] : ['It is out of date. Write it again: npm run docs:compatibility.'];
  }
}

function readModule(module: TestModule, root: string): Shown[] {
  return [...module.children.allTests('passed')].flatMap(test => {
    const { covered = {}, database, refusal } = test.meta();

    return Object.entries(covered).flatMap(([status, features]) =>
      features.map(feature => ({
        feature,
        status: status as Status,
        database,
        refusal: status === 'refused' ? refusal : undefined,
        file: relative(root, module.moduleId),
      })),
    );
  });
}

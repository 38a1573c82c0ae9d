import { transform } from 'esbuild';
import type { Plugin } from 'vite';

/** A line that starts with a decorator: `@Entity()`, `@Property({ … })`. */
const decorated = /^\s*@[A-Za-z]/m;

/**
 * Lowers decorators, which neither Node nor Vite's own transformer runs: legacy ones in files below a `legacy/` folder,
 * ES ones everywhere else. Files without decorators are left to Vite.
 */
export function decorators(): Plugin {
  return {
    name: 'decorators',
    enforce: 'pre',
    async transform(code, id) {
      const file = id.split('?')[0] ?? id;

      if (!file.endsWith('.ts') || file.includes('/node_modules/') || !decorated.test(code)) {
        return null;
      }

      const { code: lowered, map } = await transform(code, {
        loader: 'ts',
        sourcefile: file,
        sourcemap: true,
        target: 'node22',
        tsconfigRaw: {
          compilerOptions: {
            experimentalDecorators: file.includes('/legacy/'),
            useDefineForClassFields: true,
            verbatimModuleSyntax: true,
          },
        },
      });

      return { code: lowered, map };
    },
  };
}

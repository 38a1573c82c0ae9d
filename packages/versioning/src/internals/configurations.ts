import { Platform, type Configuration } from '@mikro-orm/core';

/**
 * Internal of MikroORM leaned on: a new `Configuration` hands itself to `Platform.setConfig`. MikroORM registers
 * extensions where it starts, but `mikro-orm compile` discovers the entities of a mere configuration: without those of
 * the history, MikroORM could not start from the compiled functions where code must not be made from strings.
 * `test/internals.test.ts` fails when MikroORM changes it.
 */
export function onConfiguration(listener: (config: Configuration) => void): void {
  const { prototype } = Platform;
  // the method is called with its own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const original = prototype.setConfig;
  prototype.setConfig = function (config) {
    original.call(this, config);
    listener(config);
  };
}

const all = ['sqlite', 'postgresql'] as const;

export type DatabaseName = (typeof all)[number];

/** Those of `TEST_DATABASES` (`sqlite`, `sqlite,postgresql`), or all when it is not set. */
export function selectedDatabases(selection = process.env['TEST_DATABASES']): readonly DatabaseName[] {
  if (!selection) {
    return all;
  }

  return selection.split(',').map(part => {
    const name = all.find(candidate => candidate === part.trim());

    if (!name) {
      throw new Error(`TEST_DATABASES names "${part}". Known databases: ${all.join(', ')}.`);
    }

    return name;
  });
}

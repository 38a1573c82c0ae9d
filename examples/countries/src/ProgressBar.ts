import { dim, print } from './terminal.ts';

const WIDTH = 24;

/** A bar that redraws its line on a terminal; anywhere else only its last state is printed. */
export class ProgressBar {
  readonly #label: string;
  readonly #total: number;
  readonly #started = performance.now();
  #done = 0;
  #drawn = -1;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
    this.#draw();
  }

  advance(): void {
    this.#done += 1;
    this.#draw();
  }

  /** Leaves the full bar, how long it took, and what came of it. */
  finish(result: string): void {
    this.#done = this.#total;
    const time = `${((performance.now() - this.#started) / 1000).toFixed(1)} s`;
    print(`${process.stdout.isTTY ? '\r\u001B[K' : ''}${this.#line()}  ${dim(time)}  ${result}`);
  }

  #draw(): void {
    const percent = Math.floor((this.#done / this.#total) * 100);

    if (process.stdout.isTTY && percent !== this.#drawn) {
      this.#drawn = percent;
      process.stdout.write(`\r\u001B[K${this.#line()}  ${this.#done}/${this.#total}`);
    }
  }

  #line(): string {
    const filled = Math.round((this.#done / this.#total) * WIDTH);

    return `  ${this.#label}  ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
  }
}

// Samples, and what they say. What is measured is kept in output/, for people and for other programs.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where pictures and measurements go. */
export const OUTPUT = fileURLToPath(new URL('../output', import.meta.url))
mkdirSync(OUTPUT, { recursive: true })

/** The path of a file there. */
export const output = name => join(OUTPUT, name)

/** Count, least, median, 90th and 99th percentile and most of some numbers, by nearest rank. */
export function distribution (samples) {
  const sorted = [...samples].sort((one, other) => one - other)
  const rank = share => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  const round = number => Math.round(number * 10) / 10
  return {
    count: sorted.length,
    min: round(sorted[0]),
    p50: round(rank(0.5)),
    p90: round(rank(0.9)),
    p99: round(rank(0.99)),
    max: round(sorted.at(-1))
  }
}

/** Distributions of one file of tests, by what they are about. */
export class Measurements {
  #name
  #samples = {}

  constructor (name) {
    this.#name = name
  }

  /** Adds a sample in milliseconds. */
  add (what, value) {
    (this.#samples[what] ??= []).push(value)
  }

  of (what) {
    return distribution(this.#samples[what] ?? [])
  }

  /** Everything that was measured, as one distribution. */
  get all () {
    return distribution(Object.values(this.#samples).flat())
  }

  /** Prints it, and writes it as text and as JSON. */
  report (t) {
    const rows = Object.keys(this.#samples).map(what => [what, this.of(what)])
    const lines = rows.map(([what, row]) =>
      `${what.padEnd(44)} ${Object.entries(row).map(([name, value]) => `${name} ${String(value).padStart(6)}`).join('  ')}`)
    for (const line of lines) t.diagnostic(line)
    writeFileSync(output(`${this.#name}.txt`), `Milliseconds.\n${lines.join('\n')}\n`)
    writeFileSync(output(`${this.#name}.json`), JSON.stringify({ unit: 'ms', at: new Date().toISOString(), distributions: Object.fromEntries(rows), samples: this.#samples }) + '\n')
  }
}

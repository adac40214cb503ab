// Runs every file of tests, or those named: `node run.mjs [FILE...]`. Most wait for browsers and servers, so
// they run beside each other; those that measure how long something takes run after them, one at a time.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const BESIDE = 2

const named = process.argv.slice(2)
const files = named.length > 0 ? named : readdirSync('.').filter(name => name.endsWith('.test.mjs'))
const measures = file => /import .*\bMeasurements\b/.test(readFileSync(file, 'utf8'))

let failed = false
for (const [some, concurrency] of [[files.filter(file => !measures(file)), BESIDE], [files.filter(measures), 1]]) {
  if (some.length === 0) continue
  const ran = spawnSync(process.execPath, ['--test', `--test-concurrency=${concurrency}`, ...some], { stdio: 'inherit' })
  failed ||= ran.status !== 0
}
process.exitCode = failed ? 1 : 0

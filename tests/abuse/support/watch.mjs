// What Linux tells about the process of the server.
import { readFileSync, writeFileSync } from 'node:fs'

const MIB = 2 ** 20

/** Resident memory in MiB: now, and the most since `forgetPeak`. */
export function memory (pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const of = name => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024 / MIB
  return { now: of('VmRSS'), peak: of('VmHWM') }
}

/** From here on the peak counts anew (proc(5), clear_refs). */
export function forgetPeak (pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** The nearest-rank quantile of `values`. */
export function quantile (values, q) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN
}

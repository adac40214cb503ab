// How things read: levels, times, names.
import type { Level } from './api'

const LEVEL_WORDS: Record<Level, string> = { view: 'Can view', comment: 'Can comment', edit: 'Can edit' }

/** What a level lets somebody do. */
export function levelWords (level: Level): string {
  return LEVEL_WORDS[level]
}

/** The same where a level is chosen: it says what one does not get. */
export function offeredWords (level: Level): string {
  return level === 'comment' ? 'Can comment (for now: only view)' : levelWords(level)
}

const UNITS: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60]
]

/** How long ago, or how soon, to the minute: "3 minutes ago", "in 2 days". */
export function relativeTime (time: string, now = Date.now(), language = 'en'): string {
  const milliseconds = Date.parse(time) - now
  // What was to last a day has a day left, though it was made a moment ago.
  const seconds = Math.round(milliseconds / 60_000) * 60
  for (const [unit, size] of UNITS) {
    const count = Math.trunc(seconds / size)
    if (count !== 0) return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(count, unit)
  }
  return milliseconds > 1000 ? 'in less than a minute' : 'just now'
}

/** The full time, for a tooltip. */
export function fullTime (time: string): string {
  return new Date(time).toLocaleString()
}

/** One or two letters that stand for a name. */
export function initials (name: string): string {
  const parts = name.split(/[^\p{L}\p{N}]+/u).filter(part => part !== '')
  const first = parts[0]
  if (first === undefined) return '?'
  const last = parts.length > 1 ? parts.at(-1) : undefined
  return ([...first][0] + (last === undefined ? '' : [...last][0] ?? '')).toUpperCase()
}

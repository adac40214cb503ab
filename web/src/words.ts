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

const BROWSERS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bEdgA?\//, 'Edge'], [/\bOPR\//, 'Opera'], [/\bSamsungBrowser\//, 'Samsung Internet'], [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/Chrome\/|\bCriOS\/|\bChromium\//, 'Chrome'], [/\bSafari\//, 'Safari']
]

const SYSTEMS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\biPhone\b/, 'iPhone'], [/\biPad\b/, 'iPad'], [/\bAndroid\b/, 'Android'], [/\bWindows\b/, 'Windows'], [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'], [/\bLinux\b/, 'Linux']
]

/** A browser by what it sends of itself: "Firefox on Windows". It may say anything, so it is for recognizing one's own. */
export function browserWords (agent: string | null): string {
  if (agent === null || agent.trim() === '') return 'A browser that does not say which'
  const found = (list: typeof BROWSERS) => list.find(([pattern]) => pattern.test(agent))?.[1]
  const [browser, system] = [found(BROWSERS), found(SYSTEMS)]
  if (browser === undefined) return [...agent.trim()].slice(0, 40).join('')
  return system === undefined ? browser : `${browser} on ${system}`
}

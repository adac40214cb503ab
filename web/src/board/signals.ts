// What the parts of the board tell its controls: small values that change often and are read where they are
// shown.
import { atom } from 'tldraw'
import type { Away, Conflict } from './changes'
import type { Peer } from './presence'

/** Made once for each board that is shown. */
export class Signals {
  /** Everybody else who is here. */
  readonly peers = atom<readonly Peer[]>('peers', [])
  /** What changed while one was away, until it is dismissed. */
  readonly away = atom<Away | null>('away', null)
  /** A shape that somebody else changed at the same moment, for a few seconds. */
  readonly conflict = atom<Conflict | null>('conflict', null)
  /** What just happened to one's rights, for a few seconds. */
  readonly hint = atom<string | null>('hint', null)
  /** What became of an import or export, until it is dismissed. */
  readonly notice = atom<{ readonly text: string, readonly isBad: boolean } | null>('notice', null)
  /** How many pictures and films wait to be sent, and how much of one has left, from 0 to 1; null where none wait. */
  readonly uploads = atom<{ readonly count: number, readonly part: number | null } | null>('uploads', null)
  /** Whether one looks at what the board was; null where there is no place to show it. */
  readonly history = atom<boolean | null>('history', null)
  /** How many things on this board this page cannot show. */
  readonly hidden = atom('hidden', 0)
  /** Those things, as they stand in the document. */
  hiddenValues: () => Record<string, unknown> = () => ({})
  /** Has all of the board that is still to come put onto the canvas, for what is about all of it. */
  whole: () => void = () => {}
}

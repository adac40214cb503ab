// What a file of another program becomes: records that stand in the middle of nowhere, and what could not be
// taken.
import type { TLAsset, TLBinding, TLPage, TLShape } from 'tldraw'

/** Records with ids of their own, valid for this page's schema. Parents that are not among them are the page. */
export interface Drawing {
  readonly shapes: readonly TLShape[]
  readonly bindings: readonly TLBinding[]
  readonly assets: readonly TLAsset[]
  /** Pages other than the first, where there are any. */
  readonly pages: readonly TLPage[]
  /** What the file has and this does not, in words for people: how many of what. */
  readonly left: ReadonlyMap<string, number>
}

/** Why a file is not taken: `message` is for people. */
export class BadFile extends Error {
  override readonly name = 'BadFile'
}

/** Counts what is left out. */
export class Left {
  readonly counts = new Map<string, number>()

  add (what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

// The address of an asset as records have it. It names no server and no sign-in, so that a board can move.

/** Where an asset is. */
export interface AssetAddress {
  readonly board: string
  readonly sha256: string
}

const FORM = /^\/v1\/boards\/([A-Za-z0-9._~-]{1,128})\/assets\/([0-9a-f]{64})$/

/** What an address names; null for any other. */
export function assetAddress (src: string): AssetAddress | null {
  const [, board, sha256] = FORM.exec(src) ?? []
  return board === undefined || sha256 === undefined ? null : { board, sha256 }
}

/** The address of an asset of a board. */
export function srcOf (board: string, sha256: string): string {
  return `/v1/boards/${board}/assets/${sha256}`
}

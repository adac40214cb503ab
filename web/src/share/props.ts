// What each way of sharing is given.
import type { Api } from '../api'

export interface ShareProps {
  readonly api: Api
  /** The board's id. */
  readonly board: string
}

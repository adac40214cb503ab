// The trash: boards that were deleted, brought back or removed for good.
import { useState } from 'react'
import type { Api, Board, TrashedBoard } from '../api'
import { Dialog } from '../ui/Dialog'
import { type Loaded, useAct } from '../ui/hooks'
import { Problem } from '../ui/Notice'
import { fullTime, relativeTime } from '../words'

interface TrashDialogProps {
  readonly api: Api
  readonly trash: Loaded<TrashedBoard>
  readonly onRestored: (board: Board) => void
  readonly onClose: () => void
}

export function TrashDialog ({ api, trash, onRestored, onClose }: TrashDialogProps) {
  const { busy, problem, run } = useAct()
  const [sure, setSure] = useState<string | null>(null)
  const [said, setSaid] = useState('')
  const leave = (id: string) => trash.change(known => known.filter(other => other.id !== id))
  const restore = (board: TrashedBoard) => run(async () => {
    onRestored(await api.restoreBoard(board.id))
    leave(board.id)
    setSaid(`${nameOf(board)} is back.`)
  })
  const remove = (board: TrashedBoard) => {
    if (sure !== board.id) return setSure(board.id)
    run(async () => {
      await api.deleteForever(board.id)
      leave(board.id)
      setSaid(`${nameOf(board)} is gone for good.`)
    })
  }
  return (
    <Dialog title='Trash' onClose={onClose}>
      <div className='bw-dialog-body' data-testid='trash'>
        <p className='bw-small bw-soft'>
          Nobody can open these boards. One that is brought back is as it was, for everybody who had it, with its links and keys.
          Until it goes for good it counts among your boards.
        </p>
        <Problem cause={trash.problem} onRetry={trash.reload} />
        <Problem cause={problem} />
        <p className='bw-hidden' role='status'>{said}</p>
        {trash.items === null && trash.problem == null && <p className='bw-soft' role='status'>Loading.</p>}
        {trash.items?.length === 0 && <p className='bw-soft'>The trash is empty.</p>}
        {trash.items !== null && trash.items.length > 0 && (
          <ul className='bw-list bw-trash' aria-label='Boards in the trash'>
            {newestFirst(trash.items).map(board => (
              <li key={board.id} data-testid='trashed'>
                <span className='bw-list-text'>
                  <span>{nameOf(board)}</span>
                  <span className='bw-small bw-soft'>
                    deleted <When at={board.deleted_at} />, goes for good <time dateTime={board.expires_at} title={fullTime(board.expires_at)}>{daysUntil(board.expires_at)}</time>
                  </span>
                </span>
                <span className='bw-list-acts'>
                  <button
                    type='button' className='bw-button' disabled={busy} aria-label={`Bring back ${nameOf(board)}`}
                    onClick={() => restore(board)}
                  >
                    Bring back
                  </button>
                  <button
                    type='button' className='bw-button bw-quiet bw-danger' disabled={busy} onBlur={() => setSure(null)}
                    aria-label={`Delete ${nameOf(board)} for good${sure === board.id ? ': press again to do it' : ''}`}
                    onClick={() => remove(board)}
                  >
                    {sure === board.id ? 'Really delete?' : 'Delete for good'}
                  </button>
                </span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </Dialog>
  )
}

function When ({ at }: { at: string }) {
  return <time dateTime={at} title={fullTime(at)}>{relativeTime(at)}</time>
}

/** To the day: "next month" would say too little. */
function daysUntil (time: string): string {
  const days = Math.round((Date.parse(time) - Date.now()) / 86_400_000)
  return days <= 1 ? 'within a day' : `in ${days.toLocaleString('en')} days`
}

function nameOf ({ id, title }: TrashedBoard): string {
  return title ?? id
}

function newestFirst (boards: readonly TrashedBoard[]): readonly TrashedBoard[] {
  return boards.toSorted((one, other) => other.deleted_at.localeCompare(one.deleted_at))
}

// The start page of who is signed in: their boards, finding one among them, and making another.
import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { type Api, type Board, createApi, everyPage, type TrashedBoard } from '../api'
import { type Credentials, onward, signOut } from '../credentials'
import { isRefusedCredential } from '../problems'
import { boardPath } from '../route'
import { editableByToken, type Session } from '../session'
import { type Act, useAct, useLoaded } from '../ui/hooks'
import { DeleteIcon, PlusIcon } from '../ui/icons'
import { Problem } from '../ui/Notice'
import { BoardCard, UnreadableCard } from './BoardCard'
import { Find } from './Find'
import { type AnyBoard, nameOf, sorted, titleHas, useBoards } from './list'
import { useOrder, useStars } from './stars'
import { useTextSearch } from './textSearch'
import { TrashDialog } from './TrashDialog'

/** Cards that are drawn at a time: the rest comes when asked for. */
const SHOWN_MAX = 120

export function Boards ({ credentials, session }: { credentials: Credentials, session: Session }) {
  const api = useMemo(() => createApi(credentials), [credentials])
  const list = useBoards(api)
  const heading = useRef<HTMLHeadingElement>(null)
  const [removed, setRemoved] = useState(0)
  const [copied, setCopied] = useState<Board | null>(null)
  const trash = useLoaded<TrashedBoard>(useCallback(
    async (signal: AbortSignal) => await everyPage(async cursor => await api.listTrash(cursor, signal)), [api]
  ))
  const [isTrashOpen, setTrashOpen] = useState(false)
  const [deleted, setDeleted] = useState<Board | null>(null)
  const undoing = useAct()
  const remove = (board: Board) => {
    list.remove(board.id)
    setRemoved(count => count + 1)
    setDeleted(board)
    trash.reload()
  }
  const restored = (board: Board) => {
    list.add(board)
    setDeleted(known => known?.id === board.id ? null : known)
  }
  const undo = (board: Board) => undoing.run(async () => {
    restored(await api.restoreBoard(board.id))
    trash.reload()
    heading.current?.focus()
  })
  const copy = (board: Board) => {
    list.add(board)
    setCopied(board)
  }
  // Once all are known: others of the token's own boards are not made yet.
  const unmade = list.boards === null || list.hasMore
    ? []
    : editableByToken(credentials.token).filter(id => list.boards?.every(board => board.id !== id))
  // The focus was on the card that went. It can go elsewhere once the dialog is closed.
  useEffect(() => { if (removed > 0) heading.current?.focus() }, [removed])
  return (
    <>
      <div className='bw-main-head'>
        <h1 ref={heading} tabIndex={-1}>Boards</h1>
        {trash.items !== null && trash.items.length > 0 && (
          <button type='button' className='bw-button bw-quiet bw-open-trash' data-testid='open-trash' onClick={() => setTrashOpen(true)}>
            <DeleteIcon />Trash ({trash.items.length.toLocaleString('en')})
          </button>
        )}
        <CreateForm api={api} credentials={credentials} />
      </div>
      {isRefusedCredential(list.problem)
        ? (
          <Problem cause={list.problem}>
            <button type='button' className='bw-button' onClick={signOut}>Use another token</button>
          </Problem>
          )
        : <Problem cause={list.problem} onRetry={list.more} />}
      <div className='bw-live' role='status'>
        {deleted !== null && trash.items?.some(({ id }) => id === deleted.id) === true && (
          <Deleted board={deleted} undoing={undoing} onUndo={undo} onDismiss={() => setDeleted(null)} />
        )}
        {copied !== null && list.boards?.some(({ id }) => id === copied.id) === true && (
          <div className='bw-notice'>
            <span>The copy is called <a href={onward(boardPath(copied.id), credentials)}>{nameOf(copied)}</a>.</span>
            <button type='button' className='bw-button bw-quiet' onClick={() => setCopied(null)}>Dismiss</button>
          </div>
        )}
      </div>
      {list.boards === null
        ? list.problem == null && <Skeleton />
        : list.boards.length === 0
          ? <Empty />
          : (
            <Found
              boards={list.boards} isLoading={list.loading} api={api} credentials={credentials} session={session}
              onChanged={list.replace} onDeleted={remove} onCopied={copy}
            />
            )}
      {isTrashOpen && <TrashDialog api={api} trash={trash} onRestored={restored} onClose={() => setTrashOpen(false)} />}
      {unmade.length > 0 && <Unmade ids={unmade} />}
      {list.hasMore && !list.loading && list.problem == null && (
        <div>
          <button type='button' className='bw-button' onClick={list.more}>Load more boards</button>
        </div>
      )}
    </>
  )
}

interface DeletedProps {
  readonly board: Board
  readonly undoing: Act
  readonly onUndo: (board: Board) => void
  readonly onDismiss: () => void
}

function Deleted ({ board, undoing, onUndo, onDismiss }: DeletedProps) {
  return (
    <>
      <div className='bw-notice' data-testid='deleted'>
        <span>{nameOf(board)} is in the trash.</span>
        <button type='button' className='bw-button' disabled={undoing.busy} onClick={() => onUndo(board)}>Undo</button>
        <button type='button' className='bw-button bw-quiet' onClick={onDismiss}>Dismiss</button>
      </div>
      <Problem cause={undoing.problem} />
    </>
  )
}

interface FoundProps {
  readonly boards: readonly AnyBoard[]
  readonly isLoading: boolean
  readonly api: Api
  readonly credentials: Credentials
  readonly session: Session
  readonly onChanged: (board: Board) => void
  readonly onDeleted: (board: Board) => void
  readonly onCopied: (board: Board) => void
}

// One board alone is just shown: there is nothing to find, to sort or to put first.
function Found ({ boards, isLoading, ...card }: FoundProps) {
  const isMany = boards.length > 1
  const [words, setWords] = useState('')
  const [order, setOrder] = useOrder(card.session.sub)
  const [stars, toggleStar] = useStars(card.session.sub)
  const [most, setMost] = useState(SHOWN_MAX)
  const { search, start, stop, clear } = useTextSearch(card.api)
  const look = (next: string) => {
    setWords(next)
    setMost(SHOWN_MAX)
    // What was found had other words.
    if (search !== null && next.trim() !== search.words) clear()
  }
  const wanted = isMany ? words.trim() : ''
  const matching = useMemo(
    () => wanted === '' ? boards : boards.filter(board => titleHas(board, wanted) || search?.hits.has(board.id) === true),
    [boards, wanted, search]
  )
  const inOrder = useMemo(() => sorted(matching, order, stars), [matching, order, stars])
  return (
    <>
      {isMany && (
        <Find
          words={words} onWords={look} order={order} onOrder={setOrder} search={search} onStop={stop}
          onSearch={() => start(wanted, sorted(boards, order, stars).flatMap(board => 'unreadable' in board ? [] : board.id))}
          shown={inOrder.length} all={boards.length} isLoading={isLoading}
        />
      )}
      {inOrder.length > 0 && (
        <ul className='bw-boards'>
          {inOrder.slice(0, most).map(board => 'unreadable' in board
            ? <UnreadableCard key={board.id} board={board} />
            : (
              <BoardCard
                key={board.id} board={board} {...card} excerpt={wanted === '' ? undefined : search?.hits.get(board.id)}
                starred={isMany ? stars.has(board.id) : null} onStar={toggleStar}
              />
              ))}
        </ul>
      )}
      {inOrder.length > most && (
        <div>
          <button type='button' className='bw-button' onClick={() => setMost(most + SHOWN_MAX)}>
            Show more boards ({(inOrder.length - most).toLocaleString('en')})
          </button>
        </div>
      )}
    </>
  )
}

function CreateForm ({ api, credentials }: { api: Api, credentials: Credentials }) {
  const [title, setTitle] = useState('')
  const { busy, problem, run } = useAct()

  const submit = (event: FormEvent) => {
    event.preventDefault()
    run(async () => {
      const board = await api.createBoard(title.trim() || null)
      location.assign(onward(boardPath(board.id), credentials))
    })
  }

  return (
    <>
      <form className='bw-create' onSubmit={submit}>
        <input
          className='bw-input' aria-label='Title of the new board (optional)' placeholder='Title (optional)' maxLength={256}
          value={title} onChange={event => setTitle(event.target.value)}
        />
        <button type='submit' className='bw-button bw-primary' disabled={busy}><PlusIcon />New board</button>
      </form>
      <Problem cause={problem} />
    </>
  )
}

function Skeleton () {
  return (
    <div className='bw-boards' role='status'>
      <span className='bw-hidden'>Loading your boards.</span>
      <div className='bw-skeleton' /><div className='bw-skeleton' /><div className='bw-skeleton' />
    </div>
  )
}

function Empty () {
  return (
    <div className='bw-empty'>
      <h2>No boards yet</h2>
      <p className='bw-soft'>Make the first one above, or ask somebody to share theirs with you.</p>
    </div>
  )
}

function Unmade ({ ids }: { ids: readonly string[] }) {
  return (
    <div className='bw-unmade'>
      <span className='bw-soft'>Your token can make {ids.length === 1 ? 'this board' : 'these boards'}, by opening it:</span>
      {ids.map(id => <a key={id} className='bw-button' href={boardPath(id)}>{id}</a>)}
    </div>
  )
}

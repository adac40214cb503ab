// Above many boards: which of them are shown, and in what order.
import { type FormEvent } from 'react'
import type { Order } from './list'
import type { TextSearch } from './textSearch'

interface FindProps {
  readonly words: string
  readonly onWords: (words: string) => void
  readonly order: Order
  readonly onOrder: (order: Order) => void
  readonly search: TextSearch | null
  readonly onSearch: () => void
  readonly onStop: () => void
  /** How many boards are shown of how many. */
  readonly shown: number
  readonly all: number
  /** Whether more are still coming. */
  readonly isLoading: boolean
}

/** Finds by title as one types, and in the boards' text when asked to. */
export function Find (props: FindProps) {
  const { words, onWords, order, onOrder, search, onSearch, onStop } = props
  const isWanted = words.trim() !== ''
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (isWanted) onSearch()
  }
  return (
    <form className='bw-find' role='search' onSubmit={submit}>
      <input
        className='bw-input' type='search' aria-label='Find a board by its title' placeholder='Find by title' maxLength={200}
        autoComplete='off' spellCheck={false} value={words} onChange={event => onWords(event.target.value)}
      />
      <label className='bw-find-order'>
        <span className='bw-soft bw-small'>Sort by</span>
        <select className='bw-input' value={order} onChange={event => onOrder(event.target.value as Order)}>
          <option value='changed'>Last changed</option>
          <option value='title'>Title</option>
          <option value='created'>Created</option>
        </select>
      </label>
      <p className='bw-find-state bw-soft bw-small'>
        <span role='status' data-testid='found'>{stateWords(props)}</span>
        {isWanted && search?.running !== true && search?.words !== words.trim() && (
          <button type='submit' className='bw-button bw-quiet'>Search in the boards' text</button>
        )}
        {search?.running === true && <button type='button' className='bw-button bw-quiet' onClick={onStop}>Stop</button>}
      </p>
    </form>
  )
}

function stateWords ({ words, search, shown, all, isLoading }: FindProps): string {
  const total = `${all.toLocaleString('en')} ${all === 1 ? 'board' : 'boards'}${isLoading ? ' so far' : ''}`
  if (words.trim() === '') return total
  const found = shown === 0 ? `No board of ${total}` : `${shown.toLocaleString('en')} of ${total}`
  if (search === null) return `${found}, by title.`
  const looked = search.running ? `Searching the text: ${search.done} of ${search.total}.` : searchedWords(search)
  const failed = search.failed === 0 ? '' : ` ${search.failed} could not be searched.`
  return `${found}, by title or text. ${looked}${failed}`
}

function searchedWords ({ done, total }: TextSearch): string {
  return done < total ? `Stopped after ${done} of ${total}.` : 'All were searched.'
}

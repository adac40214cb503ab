import { describe, expect, it } from 'vitest'
import { ApiProblem, type Api, type Board } from '../api'
import { duplicate, picturesIn } from './duplicate'

const HERE = 'ab'.repeat(32)
const GONE = '07'.repeat(32)

function named (...hashes: string[]): Uint8Array {
  return new TextEncoder().encode('\u0001\u0002' + hashes.map(hash => `x"/v1/boards/plan/assets/${hash}"`).join('\u00ff'))
}

/** A server on which the board `plan` has one picture; what is asked of it that writes is noted. */
function server (answer: (done: string) => void = () => {}): { api: Api, done: string[] } {
  const done: string[] = []
  const write = (what: string): void => {
    done.push(what)
    answer(what)
  }
  const api = {
    readDocument: async () => named(HERE, GONE, HERE),
    createBoard: async (title: string) => ({ id: 'copy', title }),
    readBoard: async (id: string) => ({ id }),
    readAsset: async (board: string, sha256: string) => {
      if (board !== 'plan' || sha256 !== HERE) throw new ApiProblem('no_such_asset', 404, '')
      return new Blob(['bytes'])
    },
    uploadAsset: async (board: string, file: Blob) => { write(`${board} takes ${await file.text()}`) },
    writeDocument: async (board: string) => { write(`${board} is drawn`) },
    deleteBoard: async (board: string) => { done.push(`${board} is deleted`) }
  }
  return { api: api as unknown as Api, done }
}

describe('a copy of a board', () => {
  it('finds the pictures that a document names, each once', () => {
    expect([...picturesIn(named(HERE, GONE, HERE))]).toEqual([HERE, GONE])
    expect([...picturesIn(named(HERE.slice(1), HERE.toUpperCase()))]).toEqual([])
  })

  it('has the pictures before it is drawn; what the board lacks, it lacks', async () => {
    const { api, done } = server()
    await duplicate(api, { id: 'plan', title: 'Plan' } as Board)
    expect(done).toEqual(['copy takes bytes', 'copy is drawn'])
  })

  it('is taken away where a picture cannot be brought', async () => {
    const { api, done } = server(() => { throw new ApiProblem('assets_full', 507, '') })
    await expect(duplicate(api, { id: 'plan', title: null } as Board)).rejects.toThrow()
    expect(done).toEqual(['copy takes bytes', 'copy is deleted'])
  })
})

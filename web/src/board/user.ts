// The person at the canvas, as tldraw wants them: who they are, and what they like.
import { atom, computed, createTLUser, type TLUser } from 'tldraw'
import type { Identity } from './identity'
import { keepPreferences, readPreferences } from './preferences'

/** Made once for a canvas: tldraw makes a new editor for another object, and with it goes all that can be undone. */
export function userOf ({ id, name, color }: Identity, storage: Pick<Storage, 'getItem' | 'setItem'>): TLUser {
  const preferences = atom('preferences', readPreferences(storage))
  return createTLUser({
    userPreferences: computed('user', () => ({ ...preferences.get(), id, name, color })),
    setUserPreferences: changed => {
      keepPreferences(storage, changed)
      preferences.set(changed)
    }
  })
}

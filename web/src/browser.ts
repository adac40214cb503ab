// What a browser may withhold from a page, and what the page does without. Nothing else of the page touches
// storage, the clipboard, random ids or workers: src/browser.test.ts looks.
//
// With site data blocked, reading `sessionStorage` already throws. Over plain http on a host name that is not
// localhost there is no `navigator.clipboard`, no `crypto.randomUUID` and no service worker.

import { digest } from 'lib0/hash/sha256'

/** Keeps small texts by name; what is `fleeting` is gone with this page. */
export interface Keep extends Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  readonly fleeting?: boolean
}

/** For this tab, until it is closed. */
export const tabKeep = keepIn(() => sessionStorage)

/** For all tabs of this browser. */
export const browserKeep = keepIn(() => localStorage)

/** A storage where there is one that works, else memory. */
export function keepIn (open: () => Storage): Keep {
  try {
    const storage = open()
    const probe = 'boardwire.probe'
    storage.setItem(probe, probe)
    storage.removeItem(probe)
    return {
      getItem: name => storage.getItem(name),
      // It may be full by now.
      setItem: (name, value) => { try { storage.setItem(name, value) } catch {} },
      removeItem: name => storage.removeItem(name)
    }
  } catch {
    const memory = new Map<string, string>()
    return {
      fleeting: true,
      getItem: name => memory.get(name) ?? null,
      setItem: (name, value) => { memory.set(name, value) },
      removeItem: name => { memory.delete(name) }
    }
  }
}

/** Whether this browser lets the page have databases. */
export async function hasDatabases (): Promise<boolean> {
  try {
    await indexedDB.databases?.()
    return true
  } catch {
    return false
  }
}

/** Removes a database of this browser, if there are any. */
export function deleteDatabase (name: string): void {
  try {
    indexedDB.deleteDatabase(name)
  } catch {}
}

/** An id that nobody else has. */
export function randomId (): string {
  try {
    return crypto.randomUUID()
  } catch {
    return Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(36)).join('-')
  }
}

/** The SHA-256 of bytes, in hexadecimal digits. `crypto.subtle` is withheld over plain http. */
export function hashOf (bytes: Uint8Array): string {
  return Array.from(digest(bytes), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** A channel between the pages of this origin; null where there is none. */
export function openChannel (name: string): BroadcastChannel | null {
  try {
    return new BroadcastChannel(name)
  } catch {
    return null
  }
}

/** Where a service worker is registered; null where there can be none. */
export function serviceWorkers (): ServiceWorkerContainer | null {
  try {
    return isSecureContext ? navigator.serviceWorker ?? null : null
  } catch {
    return null
  }
}

/** What goes into the clipboard: the same thing in one or several forms. */
export type Copied = Readonly<Record<'text/plain', string> & Partial<Record<'text/html', string>>>

/** Copies a text; false where the browser does not let us. */
export async function copyText (text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyByCommand({ 'text/plain': text })
  }
}

/** Copies as the browser's own menu does, which works without `navigator.clipboard`. Only in answer to a press. */
export function copyByCommand (copied: Copied): boolean {
  let done = false
  const put = (event: ClipboardEvent): void => {
    event.stopImmediatePropagation()
    done = putInto(event, copied)
  }
  addEventListener('copy', put, { capture: true })
  try {
    return document.execCommand('copy') && done
  } catch {
    return false
  } finally {
    removeEventListener('copy', put, { capture: true })
  }
}

/** Answers the browser's own copy or cut; false where it does not let us. */
export function putInto (event: ClipboardEvent, copied: Copied): boolean {
  const { clipboardData } = event
  if (clipboardData === null) return false
  for (const [type, text] of Object.entries(copied)) clipboardData.setData(type, text)
  event.preventDefault()
  return true
}

// Links on a board are made by others: none runs anything here, and one to this server signs nobody in.
import { withoutSignIn } from '../credentials'

/** What a link may lead to; all else would run here, or is nothing that can be opened. */
const FOLLOWED = ['http:', 'https:', 'mailto:', 'tel:']

/** Before a link is followed, copied or dragged, one of these happens to it. */
const BEFORE_USE = ['pointerdown', 'focusin', 'click', 'auxclick', 'contextmenu', 'dragstart']

/**
 * Takes the token out of links to this server, as they are used (a tab that opens has no sign-in of its own to ask about),
 * and opens no address that would run here. What is drawn is not changed. Returns how to stop it.
 */
export function guardLinks (): () => void {
  const life = new AbortController()
  for (const event of BEFORE_USE) document.addEventListener(event, guard, { capture: true, signal: life.signal })
  // tldraw opens most links by itself.
  const { open } = window
  const guarded: typeof open = (address = '', ...rest) => {
    const safe = safeLink(String(address), location.href)
    return safe === null ? null : open.call(window, safe, ...rest)
  }
  window.open = guarded
  return () => {
    life.abort()
    if (window.open === guarded) window.open = open
  }
}

function guard ({ target }: Event): void {
  const link = target instanceof Element ? target.closest<HTMLAnchorElement>('a[href]') : null
  // What is being written is part of the document, and there nothing opens; what is saved is saved by the
  // page itself.
  if (link === null || link.isContentEditable || link.hasAttribute('download')) return
  const address = link.getAttribute('href') ?? ''
  const safe = safeLink(address, location.href)
  if (safe === null) link.removeAttribute('href')
  else if (safe !== address) link.setAttribute('href', safe)
}

/** The address as it may be opened from the page at `here`; null where it may not. */
export function safeLink (address: string, here: string): string | null {
  try {
    return FOLLOWED.includes(new URL(address, here).protocol) ? withoutSignIn(address, here) : null
  } catch {
    return null
  }
}

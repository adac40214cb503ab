// The way from a board to all boards.
import type { AnchorHTMLAttributes, MouseEvent } from 'react'
import { type Credentials, onward } from '../credentials'
import { START } from '../route'

interface HomeLinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> { readonly credentials: Credentials }

/** Where the tab keeps nothing the sign-in goes along by the press: no link on a board's page may carry one (links.ts). */
export function HomeLink ({ credentials, ...rest }: HomeLinkProps) {
  const go = (event: MouseEvent): void => {
    const to = onward(START, credentials)
    if (to === START) return
    event.preventDefault()
    location.assign(to)
  }
  return <a {...rest} href={START} onClick={go} />
}

// What every page but the canvas has around it.
import type { ReactNode } from 'react'
import { under } from '../base'
import { START } from '../route'

/** `aside` stands at the end of the header: who one is, say. */
export function Frame ({ aside, children }: { aside?: ReactNode, children: ReactNode }) {
  return (
    <div className='bw-page'>
      <header className='bw-header'>
        <a className='bw-brand' href={START}>
          <img src={under('/favicon.svg')} width='28' height='28' alt='' />
          Boardwire
        </a>
        {aside}
      </header>
      <main className='bw-main'>{children}</main>
      <footer className='bw-footer'>
        Boards live on this server. <a href={under('/licenses/third-party.txt')}>Licences</a> of what this page is made of.
      </footer>
    </div>
  )
}

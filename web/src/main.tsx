// Opens the page that the address names.
import { lazy, StrictMode, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { takeCredentials } from './credentials'
import { parseRoute } from './route'

// Loaded where it is needed: the start page does without tldraw.
const Board = lazy(async () => await import('./board/Board'))

function Page () {
  const route = parseRoute(location.pathname)
  const credentials = takeCredentials(location, history, sessionStorage)
  switch (route.name) {
    case 'start':
      return <p>Boardwire</p>
    case 'board':
      return (
        <Suspense fallback={<p>Opening the board</p>}>
          <Board id={route.id} credentials={route.by === 'public' ? {} : credentials} />
        </Suspense>
      )
    case 'unknown':
      return <p>There is no such page.</p>
  }
}

const root = document.getElementById('root')
if (root !== null) createRoot(root).render(<StrictMode><Page /></StrictMode>)

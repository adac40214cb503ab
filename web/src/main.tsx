// Opens the page that the address names.
import { lazy, StrictMode, Suspense, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { readPreferences } from './board/preferences'
import { browserKeep, tabKeep } from './browser'
import { type Credentials, switchTo, takeCredentials, type Taken } from './credentials'
import { registerWorker } from './registerWorker'
import { renewAfterUpdate } from './renew'
import { parseRoute, type Route } from './route'
import { StartPage } from './start/StartPage'
import { showTheme } from './theme'
import './styles.css'
import { Fence, Loading, NoSuchPage } from './ui/Fallback'
import { SwitchQuestion } from './ui/SwitchQuestion'

// Loaded where it is needed: the start page does without tldraw.
const Board = lazy(async () => await import('./board/Board'))

const NOBODY: Credentials = {}

function Page ({ route, credentials }: { route: Route, credentials: Credentials }) {
  switch (route.name) {
    case 'start':
      return <StartPage credentials={credentials} />
    case 'board':
      return (
        <Suspense fallback={<Loading />}>
          <Board id={route.id} credentials={route.by === 'public' ? NOBODY : credentials} />
        </Suspense>
      )
    case 'unknown':
      return <NoSuchPage />
  }
}

/** The page, once it is decided whose it is: until then nothing connects. */
function Start ({ route, taken }: { route: Route, taken: Taken }) {
  const [decided, setDecided] = useState<Credentials | null>(taken.rival === null ? taken.credentials : null)
  if (decided !== null || taken.rival === null) return <Page route={route} credentials={decided ?? taken.credentials} />
  const { rival, credentials } = taken
  return <SwitchQuestion rival={rival} onStay={() => setDecided(credentials)} onSwitch={() => setDecided(switchTo(rival, tabKeep))} />
}

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element with the id "root"')

const route = parseRoute(location.pathname)
const taken = takeCredentials(location, history, tabKeep)
renewAfterUpdate()
showTheme(readPreferences(browserKeep).colorScheme)
// Only a board's page opens offline: who only looks at the start page need not load the canvas.
if (route.name === 'board') registerWorker()
createRoot(root).render(<StrictMode><Fence><Start route={route} taken={taken} /></Fence></StrictMode>)

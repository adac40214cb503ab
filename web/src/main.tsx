// Opens the page that the address names.
import { lazy, StrictMode, Suspense, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { readPreferences } from './board/preferences'
import { browserKeep, tabKeep } from './browser'
import { useAccess } from './access'
import { type Credentials, switchTo, takeCredentials, type Taken } from './credentials'
import { isEmbedded } from './frame'
import { takeReturn } from './handover'
import { takeInvite, watchInvites } from './invite'
import { registerWorker } from './registerWorker'
import { renewAfterUpdate } from './renew'
import { parseRoute, type Route } from './route'
import { recallSession } from './standing'
import { InvitePage } from './start/InvitePage'
import { ReturnPage } from './start/ReturnPage'
import { StartPage } from './start/StartPage'
import { showTheme } from './theme'
import './styles.css'
import { Fence, Loading, NoSuchPage } from './ui/Fallback'
import { Frame } from './ui/Frame'
import { SwitchQuestion } from './ui/SwitchQuestion'

// Loaded where it is needed: the start page does without tldraw.
const loadBoard = async () => await import('./board/Board')
const Board = lazy(loadBoard)

const NOBODY: Credentials = {}

function Page ({ route, credentials }: { route: Route, credentials: Credentials }) {
  const access = useAccess(credentials, route)
  if (route.name === 'unknown') return <NoSuchPage />
  if (access === null) return route.name === 'start' ? <Frame>{null}</Frame> : <Loading />
  if (route.name === 'start') return <StartPage access={access} />
  return (
    <Suspense fallback={<Loading />}>
      <Board key={access.session.sub} id={route.id} access={access} isEmbedded={isEmbedded(location.search)} />
    </Suspense>
  )
}

/** The page, once it is decided whose it is: until then nothing connects. */
function Start ({ route, taken }: { route: Route, taken: Taken }) {
  const [decided, setDecided] = useState<Credentials | null>(taken.rival === null ? taken.credentials : null)
  if (decided !== null || taken.rival === null) {
    const isPublic = route.name === 'board' && route.by === 'public'
    return <Page route={route} credentials={isPublic ? NOBODY : decided ?? taken.credentials} />
  }
  const { rival, credentials } = taken
  return <SwitchQuestion rival={rival} onStay={() => setDecided(credentials)} onSwitch={() => setDecided(switchTo(rival, tabKeep))} />
}

/** What an address asks for before any page: to be handed on, or to be invited. */
function Entrance () {
  if (back !== null) return <ReturnPage back={back} />
  if (taken === null) return null
  if (invite !== null) return <InvitePage invite={invite} credentials={taken.credentials} />
  return <Start route={route} taken={taken} />
}

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element with the id "root"')

const route = parseRoute(location.pathname)
const back = route.name === 'start' ? takeReturn(location, history) : null
const invite = takeInvite(location, history)
const taken = back === null ? takeCredentials(location, history, tabKeep, recallSession(browserKeep)) : null
renewAfterUpdate()
watchInvites()
showTheme(readPreferences(browserKeep).colorScheme)
// Only a board's page opens offline: who only looks at the start page need not load the canvas.
if (route.name === 'board') {
  registerWorker()
  // While it is asked who one is. What fails is shown as it is needed.
  loadBoard().catch(() => {})
}
createRoot(root).render(<StrictMode><Fence><Entrance /></Fence></StrictMode>)

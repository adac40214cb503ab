// What is shown instead of a page: while it loads, where there is none, and when it breaks.
import { Component, type ReactNode } from 'react'
import { boardPath, START } from '../route'
import { Frame } from './Frame'

/** While the canvas is on its way. */
export function Loading () {
  return <Frame><p className='bw-soft' role='status'>Opening the board.</p></Frame>
}

/** For an address that names no page. */
export function NoSuchPage () {
  return (
    <Frame>
      <h1>There is no such page</h1>
      <p>
        The address may be cut short. Boards have addresses like <code>{boardPath('plan')}</code>, with letters, digits and
        <code> . _ ~ - </code> in the name.
      </p>
      <p><a href={START}>Your boards, and signing in</a></p>
    </Frame>
  )
}

/** Shows words instead of an empty window when something inside throws. */
export class Fence extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false }

  static getDerivedStateFromError () {
    return { broken: true }
  }

  override render () {
    if (!this.state.broken) return this.props.children
    return (
      <Frame>
        <div role='alert'>
          <h1>This page broke</h1>
          <p>What was drawn is kept on the server, and in this browser what is still on its way.</p>
        </div>
        <p><button type='button' className='bw-button bw-primary' onClick={() => location.reload()}>Reload</button></p>
      </Frame>
    )
  }
}

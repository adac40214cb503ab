import type { Credentials } from '../credentials'

export interface ShareDialogProps { board: string, credentials: Credentials, onClose: () => void }
export function ShareDialog (_: ShareDialogProps) { return null }

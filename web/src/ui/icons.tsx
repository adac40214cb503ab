// The few icons of the page. Each is decoration; its button says what it does.
import type { ReactNode } from 'react'

function Icon ({ children }: { children: ReactNode }) {
  return (
    <svg
      width='18' height='18' viewBox='0 0 18 18' fill='none' stroke='currentColor' strokeWidth='1.6'
      strokeLinecap='round' strokeLinejoin='round' aria-hidden='true' focusable='false'
    >
      {children}
    </svg>
  )
}

export const CloseIcon = () => <Icon><path d='M4.5 4.5l9 9M13.5 4.5l-9 9' /></Icon>
export const PlusIcon = () => <Icon><path d='M9 3.5v11M3.5 9h11' /></Icon>
export const ShareIcon = () => (
  <Icon>
    <circle cx='4.5' cy='9' r='2' /><circle cx='13' cy='4.5' r='2' /><circle cx='13' cy='13.5' r='2' />
    <path d='M6.3 8l4.9-2.6M6.3 10l4.9 2.6' />
  </Icon>
)
export const PauseIcon = () => <Icon><path d='M6.5 4.5v9M11.5 4.5v9' /></Icon>
export const ResumeIcon = () => <Icon><path d='M6 4.2v9.6L13.5 9z' /></Icon>
export const RenameIcon = () => <Icon><path d='M3.5 14.5l.7-3 7.6-7.6a1.4 1.4 0 0 1 2 0l.3.3a1.4 1.4 0 0 1 0 2L6.5 13.8zM10.5 5.2l2.3 2.3' /></Icon>
export const DeleteIcon = () => <Icon><path d='M3.5 5h11M7 5V3.5h4V5M5 5l.6 9.5h6.8L13 5M7.6 8v4M10.4 8v4' /></Icon>
export const CopyIcon = () => <Icon><rect x='6.5' y='6.5' width='8' height='8' rx='1.5' /><path d='M11.5 6.5V5A1.5 1.5 0 0 0 10 3.5H5A1.5 1.5 0 0 0 3.5 5v5A1.5 1.5 0 0 0 5 11.5h1.5' /></Icon>
export const StarIcon = ({ filled }: { filled: boolean }) => (
  <Icon><path fill={filled ? 'currentColor' : 'none'} d='M9 2.8l1.9 3.9 4.3.6-3.1 3 .75 4.3L9 12.6l-3.85 2 .75-4.3-3.1-3 4.3-.6z' /></Icon>
)

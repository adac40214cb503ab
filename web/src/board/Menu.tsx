// tldraw's main menu, with what a board is saved as and what can be imported onto it.
import {
  DefaultMainMenu, EditSubmenu, ExtrasGroup, PreferencesGroup, ToggleTransparentBgMenuItem, TldrawUiMenuActionItem, TldrawUiMenuGroup, TldrawUiMenuSubmenu,
  ViewSubmenu
} from 'tldraw'

/** The action that asks for files. */
export const IMPORT = 'boardwire-import'

/** The action that shows what the board was. */
export const HISTORY = 'boardwire-history'

export function BoardMenu () {
  return (
    <DefaultMainMenu>
      <TldrawUiMenuGroup id='basic'>
        <EditSubmenu />
        <ViewSubmenu />
        <TldrawUiMenuSubmenu id='export-all-as' label='context-menu.export-all-as' size='small'>
          <TldrawUiMenuGroup id='export-all-as-group'>
            <TldrawUiMenuActionItem actionId='export-all-as-svg' />
            <TldrawUiMenuActionItem actionId='export-all-as-png' />
            <TldrawUiMenuActionItem actionId='boardwire-save-tldr' />
            <TldrawUiMenuActionItem actionId='boardwire-save-json' />
          </TldrawUiMenuGroup>
          <TldrawUiMenuGroup id='export-all-as-bg'>
            <ToggleTransparentBgMenuItem />
          </TldrawUiMenuGroup>
        </TldrawUiMenuSubmenu>
        <ExtrasGroup />
        <TldrawUiMenuActionItem actionId={IMPORT} />
        <TldrawUiMenuActionItem actionId={HISTORY} />
      </TldrawUiMenuGroup>
      <PreferencesGroup />
    </DefaultMainMenu>
  )
}

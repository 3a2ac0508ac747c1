import type { MenuItemConstructorOptions } from 'electron';

export interface MenuActions {
  readonly openWorkspace: () => void;
}

/**
 * The application menu.
 *
 * It holds what the host can do alone. What only a page can do has its shortcut in the page, so that the bridge stays one function and
 * the host never sends a page anything but its port.
 */
export function describeMenu(actions: MenuActions, platform: NodeJS.Platform, isDevelopment: boolean): MenuItemConstructorOptions[] {
  const mac: MenuItemConstructorOptions[] = platform === 'darwin' ? [{ role: 'appMenu' }] : [];
  const tools: MenuItemConstructorOptions[] = isDevelopment ? [{ role: 'toggleDevTools' }] : [];
  return [
    ...mac,
    {
      label: 'File',
      submenu: [{ label: 'Open Workspace…', click: actions.openWorkspace }, { type: 'separator' }, { role: 'quit' }],
    },
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        { role: 'reload' },
        ...tools,
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
      ],
    },
    { role: 'windowMenu' },
    { role: 'help', submenu: [{ role: 'about' }] },
  ];
}

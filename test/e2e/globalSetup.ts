import { trainWorkspace } from './trainedWorkspace.ts';

// Playwright takes what this file exports as default.
export { trainWorkspace as default };

import './zodSettings.ts';

// Loaded afterwards and not beside it: schemas made before the setting would try to generate code, which the page's policy reports.
const { startPage } = await import('./start.ts');
startPage();

import './zodSettings.ts';

// Loaded afterwards and not beside it: schemas made before the setting would try to generate code, which the page's policy reports.
try {
  const { startPage } = await import('./start.ts');
  startPage();
} catch (problem) {
  const reason = problem instanceof Error ? problem.message : String(problem);
  document.body.textContent = `The page of Transfer Lab could not be loaded: ${reason}. Start the lab again if it has ended, then load this page again.`;
}

// What runs inside the page while it is measured, as text, because the benchmark itself knows no DOM: an act, and what must be seen after it.

/** Defines labClock(act, isDone): resolves to the milliseconds from the act to the end of the first frame painted with the wanted sight. */
export const clockScript = `
  globalThis.labClock = (act, isDone) => new Promise((resolve, reject) => {
    const began = performance.now();
    const check = () => {
      if (isDone()) requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
      else if (performance.now() - began > 30000) reject(new Error('Not seen within 30 s: ' + isDone));
      else requestAnimationFrame(check);
    };
    act();
    requestAnimationFrame(check);
  });
  globalThis.labGrid = () => document.querySelector('[role=grid]');
  globalThis.labIsFresh = () => labGrid()?.getAttribute('aria-busy') === 'false' && labGrid().querySelector('tbody a') !== null;`;

/** Sends the form "Go to image", which is filled already; done when the picture is chosen and every tile in sight has its sheet. */
export function showPicture(position: number): string {
  return `labClock(
    () => document.querySelector('[aria-label="Go to image"]').form.requestSubmit(),
    () => document.querySelector('[role=listbox][aria-label=Images][aria-busy=false] [aria-posinset="${position + 1}"]')
      ?.style.backgroundImage.startsWith('url') === true)`;
}

/** Clicks the head of a column; done when the table says that it is sorted by it and shows the rows. */
export function sortBy(column: number): string {
  return `labClock(
    () => labGrid().querySelectorAll('thead th button')[${column}].click(),
    () => labIsFresh() && labGrid().querySelectorAll('thead th button')[${column}].parentElement.hasAttribute('aria-sort'))`;
}

/** Scrolls to a share of the height, 1 for the end; done when the rows in sight have their names. */
export function jump(share: number): string {
  return `(() => {
    const scroller = labGrid().parentElement;
    const height = 29;
    return labClock(
      () => { scroller.scrollTop = ${share} * (scroller.scrollHeight - scroller.clientHeight); },
      () => [2, 10].every((row) =>
        document.getElementById('run-row-' + (Math.floor(scroller.scrollTop / height) + row))?.querySelector('a') != null));
  })()`;
}

/** Writes into the search; done when another number of rows is there. */
export function searchFor(word: string): string {
  return `(() => {
    const field = document.querySelector('input[aria-label="Search runs"]');
    const before = labGrid().getAttribute('aria-rowcount');
    return labClock(
      () => { field.value = ${JSON.stringify(word)}; field.dispatchEvent(new InputEvent('input', { bubbles: true })); },
      () => labIsFresh() && labGrid().getAttribute('aria-rowcount') !== before);
  })()`;
}

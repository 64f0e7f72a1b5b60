/** The first of them that is there: a text has a field of its own, a sound only the choice of how it comes. */
const places = {
  VIDEO: ['input[name=video]:checked', 'input[name=video]'],
  SPEECH: ['#text', '[aria-label="How it is said"] input:checked'],
};

/** Leads people, and the keyboard, to the part of the form that they have to change. */
export function focusOn(part: keyof typeof places): void {
  const [place] = places[part].flatMap((selector) => document.querySelector(selector) ?? []);
  if (place instanceof HTMLElement) place.focus();
}

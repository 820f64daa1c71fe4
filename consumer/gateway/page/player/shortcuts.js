/** Keys that work wherever the focus is, but not where text is written or a slider is moved. */

/** What each key does. `keys` are as KeyboardEvent.key has them. None of them scrolls a page up or down but the space bar. */
export const SHORTCUTS = [
  {keys: [" ", "k"], shown: ["Space", "K"], does: "toggle"},
  {keys: ["ArrowLeft"], shown: ["←"], does: "back"},
  {keys: ["ArrowRight"], shown: ["→"], does: "forward"},
  {keys: ["0"], shown: ["0"], does: "home"},
  {keys: ["["], shown: ["["], does: "loopStart"},
  {keys: ["]"], shown: ["]"], does: "loopEnd"},
  {keys: ["l"], shown: ["L"], does: "loop"},
  {keys: ["p"], shown: ["P"], does: "previous"},
  {keys: ["n"], shown: ["N"], does: "next"},
  {keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: ["1 – 9"], does: "choose"},
  {keys: ["m"], shown: ["M"], does: "mute"},
  {keys: ["s"], shown: ["S"], does: "solo"},
  {keys: ["+", "="], shown: ["+"], does: "louder"},
  {keys: ["-"], shown: ["-"], does: "quieter"},
  {keys: ["d"], shown: ["D"], does: "download"},
  {keys: ["z"], shown: ["Z"], does: "archive"},
  {keys: ["x"], shown: ["X"], does: "mix"},
  {keys: ["?"], shown: ["?"], does: "help"},
];

const WRITTEN_IN = "input:not([type=checkbox]):not([type=button]), textarea, select, [contenteditable]:not([contenteditable=false])";
const PRESSED = "button, a[href], summary, input[type=checkbox], input[type=button], [role=button]";

/**
 * Listens to the whole page until `signal` aborts. `actions` has a function for each `does`; that of choose is given
 * a number from 0. `isOn()` says whether shortcuts are wanted.
 */
export function listenToKeys({actions, isOn, signal}) {
  document.addEventListener(
    "keydown",
    (event) => {
      const shortcut = shortcutOf(event);
      if (shortcut && isOn()) {
        event.preventDefault();
        actions[shortcut.does](Number(event.key) - 1);
      }
    },
    {signal},
  );
}

/** The shortcut that a key press means where the focus is; null for none. */
export function shortcutOf(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) {
    return null;
  }
  const focused = event.target instanceof Element ? event.target : null;
  if (focused?.closest(WRITTEN_IN) || document.querySelector("dialog[open]")) {
    return null;
  }
  if (event.key === " " && focused?.closest(PRESSED)) {
    return null; // which presses what has the focus
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return SHORTCUTS.find((each) => each.keys.includes(key)) ?? null;
}

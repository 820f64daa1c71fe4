/** How loud each stem is: its fader, and who is muted or alone. */

/**
 * The factor for each stem, by name; `levels` holds `{percent, isMuted, isSolo}` by name.
 *
 * Where any stem is solo, those that are not are silent. Mute wins over solo.
 */
export function gainsOf(levels) {
  const isAnySolo = Object.values(levels).some((level) => level.isSolo);
  return Object.fromEntries(
    Object.entries(levels).map(([name, level]) => {
      const isHeard = !level.isMuted && (level.isSolo || !isAnySolo);
      return [name, isHeard ? faderGain(level.percent) : 0];
    }),
  );
}

/** The factor of a fader at 0 to 100 percent: its square, which is about how loudness is felt. 100 changes nothing. */
export function faderGain(percent) {
  return (percent / 100) ** 2;
}

/** The same in decibels, -Infinity for none. */
export function faderDb(percent) {
  return 20 * Math.log10(faderGain(percent));
}

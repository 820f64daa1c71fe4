/** Times for the eye and for the ear. */

/** As on a player: 0:05, 3:07, 1:02:03; tenths of a second where `withTenths`. */
export function clockText(seconds, {withTenths = false} = {}) {
  const tenths = Math.floor(Math.max(0, seconds) * 10 + 1e-6);
  const whole = Math.floor(tenths / 10);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  const head = hours ? `${hours}:${two(minutes)}` : String(minutes);
  return `${head}:${two(rest)}${withTenths ? `.${tenths % 10}` : ""}`;
}

/** As a screen reader says it: "3 minutes 7 seconds". */
export function spokenTime(seconds, text) {
  const whole = Math.floor(Math.max(0, seconds) + 1e-6);
  const parts = [
    ["player.hours", Math.floor(whole / 3600)],
    ["player.minutes", Math.floor(whole / 60) % 60],
    ["player.seconds", whole % 60],
  ];
  const told = parts.filter(([key, count]) => count || (key === "player.seconds" && whole < 60));
  return told.map(([key, count]) => text(count === 1 ? `${key}.one` : key, {count})).join(" ");
}

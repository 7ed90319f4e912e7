/** 14:05:09, in the reader's own time zone. */
export const clock = (ms: number) =>
  new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** "3 min ago", "in 20 min", "now". */
export function distance(ms: number, now: number): string {
  const seconds = Math.round((ms - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 2) return "now";
  const words = size < 90 ? `${size} s` : `${Math.round(size / 60)} min`;
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}

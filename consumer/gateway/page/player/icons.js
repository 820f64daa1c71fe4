/** Shapes of 24 by 24, as paths of SVG. */
export const ICONS = {
  play: "M7 4.5v15l13-7.5z",
  pause: "M6 5h4.5v14H6zm7.5 0H18v14h-4.5z",
  download: "M11 4h2v8.2l3.1-3.1 1.4 1.4L12 16l-5.5-5.5 1.4-1.4 3.1 3.1zM5 18h14v2H5z",
  loop: "M7 7h9V4l5 4-5 4V9H7a3 3 0 0 0 0 6h1v2H7A5 5 0 0 1 7 7zm10 10H8v3l-5-4 5-4v3h9a3 3 0 0 0 3-3h2a5 5 0 0 1-5 5z",
};

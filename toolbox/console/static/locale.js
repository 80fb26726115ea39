"use strict";
// Where the system's locale is that of POSIX, Chromium names a language that its own Intl refuses,
// and uPlot asks Intl for it as it loads.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US" });
}

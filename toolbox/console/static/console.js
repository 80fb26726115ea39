"use strict";
// What htmx does not do by itself. Pages work without it.

// What changed is said to screen readers: an answer can name it in `X-Told`.
document.addEventListener("htmx:afterRequest", (event) => {
  const told = event.detail.xhr && event.detail.xhr.getResponseHeader("X-Told");
  if (told) document.getElementById("told").textContent = decodeURIComponent(told);
});

// Puts on the system's theme until the page knows better, and starts the page's wasm module, or says why it cannot be started.
import init from "./page.js";

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

init({ module_or_path: new URL("page_bg.wasm", import.meta.url) }).catch((error) => {
  const boot = document.getElementById("boot");
  if (boot) {
    boot.setAttribute("role", "alert");
    boot.textContent =
      `Interleave could not start: ${error.message ?? error}. It needs a browser with WebAssembly, ` +
      "and its files served over HTTP from one folder.";
  }
  throw error;
});

// Starts the page's wasm module, or says why it cannot be started.
import init from "./page.js";

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

// Runs before the first paint: the theme that the reader chose, else the one that the service was told.
try {
  const theme = JSON.parse(localStorage.getItem("error-visualization.theme"));
  if (["light", "dark", "system"].includes(theme)) document.documentElement.dataset.theme = theme;
} catch { /* no localStorage, no choice */ }

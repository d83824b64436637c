// Runs before the first paint: sets the theme that the reader chose. Without one, that of the service's settings stays.
try {
  const theme = JSON.parse(localStorage.getItem("error-visualization.theme"));
  if (["light", "dark", "system"].includes(theme)) document.documentElement.dataset.theme = theme;
} catch { /* without localStorage there is no choice */ }

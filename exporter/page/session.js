// Who reads this page, and what the service allows them. Where access control is off, there is nobody and everything is allowed.

import { ask } from "./api.js";
import { element } from "./dom.js";

// Whether the reader may do what needs the scope; yes as long as that is not known.
export function may(scope) {
  const { scopes } = document.documentElement.dataset;
  return scopes === undefined || scopes.split(" ").includes(scope);
}

let tell;
// Fulfilled when the service has said who reads the page.
export const known = new Promise((resolve) => { tell = resolve; });

// Asks the service, hides what the reader may not do (page.css), and shows their name and how to log out. Returns whether
// there is access control.
export async function show() {
  const { user, method, scopes } = await ask("/api/session");
  document.documentElement.dataset.scopes = scopes.join(" ");
  const place = document.getElementById("session");
  document.documentElement.dataset.user = user ?? "";
  tell();
  place.hidden = !user;
  if (!user) return false;
  place.replaceChildren(element("span", { class: "quiet" }, `Logged in as ${user}`));
  if (method !== "session") return true;
  const button = element("button", { type: "button", id: "log-out" }, "Log out");
  button.onclick = async () => {
    try {
      await ask("/logout", { method: "POST" });
      location.assign("/login");
    } catch (failure) {
      place.querySelector("span").textContent = failure.status ? failure.message : "The service does not answer.";
    }
  };
  place.append(button);
  return true;
}

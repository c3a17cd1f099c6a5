/** The requests made in this browser: a job does not tell its whole request, and `Copy curl` needs it. */

const KEY = "atelier.requests";
const KEPT = 60;

function all() {
  try {
    return new Map(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
  } catch {
    return new Map();
  }
}

export function remember(id, request) {
  const requests = [...all(), [id, request]].slice(-KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(requests));
  } catch {
    // Private windows and full disks: the page works without.
  }
}

export const recall = (id) => all().get(id) ?? null;

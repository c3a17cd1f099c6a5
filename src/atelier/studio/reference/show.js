/** Lets Swagger UI show the API's document, where the browser could fetch it; else the page's own words stay. */

const SHEET = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css";

if (window.SwaggerUIBundle) {
  // Asked for here, for a page waits for the sheets in its head before it shows anything.
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: SHEET }));
  window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true });
}

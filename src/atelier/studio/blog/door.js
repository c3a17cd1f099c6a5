/** Where posts are ordered and their jobs are kept. */

import { door } from "../shared/api.js";

export const blog = door("/api/v1/blog", "/generate-enhanced/stream");

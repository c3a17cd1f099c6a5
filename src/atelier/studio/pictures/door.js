/** Where pictures are ordered and their jobs are kept. */

import { door } from "../shared/api.js";

export const images = door("/api/v1/images", "/generate/stream");

// A shared conversation, to read: its formulas.

import { drawMath } from "./math.js";

drawMath(document);

// What the libraries expect of a page, for Node. Import this before them.

import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;
globalThis.window ??= globalThis;

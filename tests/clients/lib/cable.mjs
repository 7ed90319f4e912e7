// A cable between a client and the server that can be pulled: a TCP relay.

import { connect, createServer } from "node:net";

/** Relays to `port` on loopback; the browser's and the libraries' sockets cannot be dropped otherwise. */
export class Cable {
  static async to(port) {
    const cable = new Cable();
    cable.pairs = new Set();
    cable.listener = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      const pair = [near, far];
      cable.pairs.add(pair);
      near.setNoDelay(true);
      far.setNoDelay(true);
      near.pipe(far);
      far.pipe(near);
      const end = () => {
        near.destroy();
        far.destroy();
        cable.pairs.delete(pair);
      };
      for (const socket of pair) {
        socket.on("error", end);
        socket.on("close", end);
      }
    });
    await new Promise((resolve) => cable.listener.listen(0, "127.0.0.1", resolve));
    cable.port = cable.listener.address().port;
    return cable;
  }

  get ws() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Both ends are reset without a word: no close frame, no un-REGISTER. */
  pull() {
    for (const pair of this.pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async close() {
    this.pull();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

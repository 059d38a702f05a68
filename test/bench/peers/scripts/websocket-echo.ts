import { WebSocketServer } from 'ws';

/** An upstream: sends each message back. It is called with its port. */
const port = Number(process.argv[2]);
const server = new WebSocketServer({ host: '127.0.0.1', port, backlog: 4_096, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

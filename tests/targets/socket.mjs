// Sends messages over a WebSocket and takes them back, for node and bun: socket.mjs URL SIZE... (text; binary if negative).
const [url, ...sizes] = process.argv.slice(2);
const socket = new WebSocket(url);
socket.binaryType = "arraybuffer";
let turn = 0;

function send() {
  if (turn === sizes.length) return socket.close(1000, "done");
  const size = Number(sizes[turn++]);
  const text = "0123456789abcdef,".repeat(Math.abs(size) / 17 + 1).slice(0, Math.abs(size));
  socket.send(size < 0 ? new TextEncoder().encode(text) : text);
}

socket.onopen = send;
socket.onmessage = send;
socket.onerror = () => process.exit(1);
socket.onclose = ({ code }) => { console.log(turn); process.exit(code === 1000 ? 0 : 1); };

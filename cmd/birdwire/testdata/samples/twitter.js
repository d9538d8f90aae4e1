// JavaScript WebSocket connection
// Replace with your actual domain (wss:// for production, ws:// for local dev)
const ws = new WebSocket(
  'ws://localhost:8000/v1/twitter/stream?api_key=YOUR_API_KEY'
);

ws.onopen = () => {
  console.log('Connected to stream');
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);

  if (data.type === 'connected') {
    console.log('Connection ID:', data.connection_id);
  }

  if (data.type === 'new_tweet') {
    console.log('New tweet from', data.author_username);
    console.log('Source:', data.source); // "monitor" or "filter_rule"
    console.log('Latency:', data.latency_ms, 'ms');
  }
};

ws.onclose = (event) => {
  console.log('Disconnected:', event.code, event.reason);
};

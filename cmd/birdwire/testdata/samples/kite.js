const ws = new WebSocket('wss://kite-api.gtdigital.dev/api/ws?key=kite_your_key_here');

ws.onopen = () => {
  console.log('Connected to KITE 2.0');

  // Subscribe to central bank news about interest rates
  ws.send(JSON.stringify({
    type: 'subscribe',
    filters: {
      categories: ['central_banks'],
      keywords: ['interest rates', 'inflation']
    }
  }));
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);

  switch (data.type) {
    case 'news':
      console.log(`[${data.action}] ${data.item.title}`);
      console.log(`  Source: ${data.item.source}`);
      console.log(`  Tickers: ${data.item.tickers.join(', ')}`);
      break;
    case 'connected':
      console.log(data.message);
      break;
    case 'subscribed':
      console.log('Filters applied:', data.filters);
      break;
    case 'pong':
      break;
  }
};

ws.onerror = (err) => console.error('WebSocket error:', err);
ws.onclose = () => console.log('Disconnected');

// Keep-alive every 30 seconds
setInterval(() => {
  if (ws.readyState === WebSocket.OPEN) {
    ws.send(JSON.stringify({ type: 'ping' }));
  }
}, 30000);

// Clients that are as careless as the ones in the wild: they must get everything all the same.
// usage: node line_client.mjs BASE stream|poll|plain   →   one line of JSON
const [base, mode] = process.argv.slice(2);
const images = `${base}/api/v1/images`;
const order = { prompt: 'A harbour in the morning', quality: 'draft', style: 'anime', blog_topic: 'harbours' };

async function stream(init) {
  const response = await fetch(`${images}/generate/stream`, { method: 'POST', body: JSON.stringify(order), ...init });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const seen = [];
  const broken = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { seen, broken };
    // Each chunk alone, nothing carried over: an event cut in two would be lost.
    for (const line of decoder.decode(value).split('\n')) {
      if (!line.startsWith('data: ')) continue;
      try {
        seen.push(JSON.parse(line.slice(6)));
      } catch {
        broken.push(line);
      }
    }
  }
}

async function poll() {
  const made = await (await fetch(`${images}/generate`, {
    method: 'POST', body: JSON.stringify(order), headers: { 'Content-Type': 'application/json' },
  })).json();
  for (let tries = 0; tries < 200; tries += 1) {
    // Never looks at the HTTP status, only at the body's own `status`.
    const job = await (await fetch(`${images}/jobs/${made.job_id}`)).json();
    if (job.status === 'completed' && job.result?.images) return { made, image: job.result.images[0] };
    if (job.status === 'failed') throw new Error(job.error_message);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('gave up');
}

const modes = {
  stream: () => stream({ headers: { 'Content-Type': 'application/json' } }),
  plain: () => stream({}), // a string body: the browser's and Node's fetch send text/plain
  poll,
};
console.log(JSON.stringify(await modes[mode]()));

// A blog's pages as they talk to the service: no content type, no look at the HTTP status, chunks taken for whole lines.
// usage: node blog_client.mjs BASE stream|queue|wait   →   one line of JSON
const [base, mode] = process.argv.slice(2);
const blog = `${base}/api/v1/blog`;
const body = JSON.stringify({ topic: 'Python', keywords: ['python'], length: 'short' });

async function stream() {
  const { body: bytes } = await fetch(`${blog}/generate-enhanced/stream`, { method: 'POST', body });
  const decoder = new TextDecoder();
  const printed = [];
  let broken = 0;
  let last = null;
  for await (const chunk of bytes) {
    for (const line of decoder.decode(chunk).split('\n').filter((each) => each.startsWith('data: '))) {
      try {
        const { stage, progress, data } = JSON.parse(line.slice('data: '.length));
        printed.push([stage, progress]);
        last = data;
      } catch {
        broken += 1;
      }
    }
  }
  return { printed, broken, last };
}

async function queue() {
  const made = await (await fetch(`${blog}/generate-enhanced`, { method: 'POST', body })).json();
  for (let tries = 0; tries < 200; tries += 1) {
    const job = await (await fetch(`${blog}/jobs/${made.job_id}`)).json();
    if (job.status === 'failed') throw new Error(job.error_message);
    if (job.status === 'completed') {
      const stages = job.progress_updates.map((update) => update.stage);
      return { made, stages, words: job.result.content.split(/\s+/).length };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('gave up');
}

async function wait() {
  const response = await fetch(`${blog}/generate-enhanced?async_mode=false`, { method: 'POST', body });
  return response.json();
}

console.log(JSON.stringify(await { stream, queue, wait }[mode]()));

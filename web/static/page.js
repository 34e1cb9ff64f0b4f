// What HTML and htmx can't do: the ring that runs down, the focus, files, pictures.
const doc = document, $ = (sel, in_ = doc) => in_.querySelector(sel);
const on = (types, f) => types.split(' ').forEach(type => doc.addEventListener(type, f));

// The ring: what is left of it is the time that a code is shown, of 30 seconds.
function ring(el) {
  const end = performance.now() + el.dataset.left * 1000, every = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 100;
  const run = $('.run', el), words = $('[data-seconds]', el.parentNode);
  delete el.dataset.left; // it runs now
  const draw = () => {
    if (!el.isConnected) return;
    const left = Math.max(0, end - performance.now()) / 1000;
    run.style.strokeDashoffset = 100 - 100 * left / 30;
    if (words) words.textContent = Math.ceil(left);
    if (left > 0) setTimeout(draw, every);
  };
  draw();
}

// Starts rings, and marks where one is, on the list and among the screens.
function ready() {
  doc.querySelectorAll('[data-left]').forEach(ring);
  const at = location.pathname.replace(/\/about$/, '');
  for (const a of doc.querySelectorAll('.side a')) {
    if (a.getAttribute('href') === at) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
}

let stick = true;
const log = () => $('#chat-scroll'), toEnd = el => { el.scrollTop = el.scrollHeight; };
on('htmx:config:request', e => {
  const {ctx} = e.detail, el = ctx.sourceElement, {body} = ctx.request;
  if (el.id === 'list') body.set('n', el.querySelectorAll(':scope > [id]').length);
  if (el.id === 'log') {
    body.set('n', el.childElementCount);
    body.set('first', el.firstElementChild?.id.slice(2) || '');
  }
});
on('htmx:before:swap', () => {
  const el = log();
  stick = el && el.scrollHeight - el.scrollTop - el.clientHeight < 80;
});
on('htmx:after:swap', ({detail: {ctx}}) => {
  const el = log(), wrote = ctx.sourceElement?.matches?.('.compose');
  ready();
  if (ctx.target?.id === 'main') {
    if (el) toEnd(el);
    ($('#main [autofocus]') || $('#main h1') || $('#main')).focus({preventScroll: true});
  } else if (el && (stick || wrote)) {
    toEnd(el);
    if (wrote) $('#text')?.focus();
  }
});
on('htmx:sse:error', () => { $('#lost').hidden = false; });
// The extension comes back by itself, but not to a stream that never began.
on('htmx:error htmx:response:error', e => {
  const el = e.detail.ctx?.sourceElement;
  if (el?.id === 'live') setTimeout(() => htmx.trigger(el, 'again'), 2000);
});
on('sync', () => { $('#lost').hidden = true; });

on('keydown', e => {
  if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && e.target.matches?.('.compose textarea')) {
    e.preventDefault();
    e.target.form.requestSubmit();
  }
});
// Says once a minute at most that somebody is here.
let said = -1e5;
on('keydown pointerdown pointermove', e => {
  if (!e.isTrusted || e.timeStamp < said + 6e4) return;
  said = e.timeStamp;
  navigator.sendBeacon('/activity');
});
on('click', e => {
  const what = e.target.closest?.('[data-copy]'), from = what && $(what.dataset.copy);
  if (from) navigator.clipboard.writeText(from.value ?? from.textContent).then(() => { what.textContent = 'Copied'; });
});

// Files go one after the other; the daemon tells how far they are.
async function upload(files) {
  const to = $('.chat')?.dataset.contact;
  if (to) for (const [i, file] of files.entries()) {
    const body = new FormData();
    body.append('file', file);
    await fetch(`/c/${to}/upload?left=${files.length - i - 1}`, {method: 'POST', body}).catch(() => $('#unread').showPopover());
  }
}
on('dragover dragleave drop', e => {
  const {types, files} = e.dataTransfer;
  if (!types.includes('Files')) return;
  e.preventDefault();
  doc.body.classList.toggle('over', e.type === 'dragover');
  if (e.type === 'drop') upload([...files]);
});
// What the daemon takes as a picture is less than a camera makes.
async function shrink(el) {
  try {
    const from = await createImageBitmap(el.files[0]), {width, height} = from, side = Math.min(width, height), to = Math.min(side, 256);
    const small = new OffscreenCanvas(to, to), files = new DataTransfer();
    small.getContext('2d').drawImage(from, (width - side) / 2, (height - side) / 2, side, side, 0, 0, to, to);
    files.items.add(new File([await small.convertToBlob({type: 'image/webp'})], 'picture'));
    el.files = files.files;
  } catch {} // what it can't read, the daemon says in words
  el.form.requestSubmit();
}
on('change', ({target: el}) => {
  if (el.id === 'picture') shrink(el);
  if (el.id === 'pick') {
    upload([...el.files]);
    el.value = '';
  }
});

ready();
if (log()) toEnd(log());

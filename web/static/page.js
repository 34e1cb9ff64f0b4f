// What HTML and htmx can't do: the ring that runs down, where the focus goes, what a
// part that refreshes itself has to tell, and Enter to send.
'use strict';
(() => {
  const $ = (sel, in_ = document) => in_.querySelector(sel);
  const calm = matchMedia('(prefers-reduced-motion: reduce)');

  // The ring: what is left of it is the time that a code is shown, of 30 seconds.
  function ring(el) {
    const end = performance.now() + el.dataset.left * 1000;
    const run = $('.run', el), words = $('[data-seconds]', el.parentNode);
    const draw = () => {
      if (!el.isConnected) return;
      const left = Math.max(0, end - performance.now()) / 1000;
      run.style.strokeDashoffset = 100 - 100 * left / 30;
      if (words) words.textContent = Math.ceil(left);
      if (left > 0) setTimeout(draw, calm.matches ? 1000 : 100);
    };
    draw();
  }

  const atEnd = el => el.scrollHeight - el.scrollTop - el.clientHeight < 80;
  const toEnd = el => { el.scrollTop = el.scrollHeight; };

  // Marks where one is, on the list and among the screens.
  function here() {
    const at = location.pathname.replace(/\/about$/, '');
    for (const a of document.querySelectorAll('.side a')) {
      if (a.getAttribute('href') === at) a.setAttribute('aria-current', 'page');
      else a.removeAttribute('aria-current');
    }
  }

  function ready(el) {
    if (el.matches?.('[data-left]')) ring(el);
    el.querySelectorAll?.('[data-left]').forEach(ring);
    here();
  }

  let stick = true;
  document.addEventListener('htmx:config:request', e => {
    const {ctx} = e.detail, el = ctx.sourceElement;
    if (el.id === 'list') ctx.request.body.set('n', el.querySelectorAll(':scope > [id]').length);
    if (el.id === 'log') {
      ctx.request.body.set('n', el.childElementCount);
      ctx.request.body.set('first', el.firstElementChild?.id.slice(2) || '');
    }
  });
  document.addEventListener('htmx:before:swap', () => {
    const log = $('#chat-scroll');
    stick = log && atEnd(log);
  });
  document.addEventListener('htmx:after:swap', e => {
    const {ctx} = e.detail, log = $('#chat-scroll');
    ready(document.body);
    if (ctx.target?.id === 'main') {
      if (log) toEnd(log);
      ($('#main [autofocus]') || $('#main h1') || $('#main')).focus({preventScroll: true});
    } else if (log && (stick || ctx.sourceElement?.matches?.('.compose'))) {
      toEnd(log);
      if (ctx.sourceElement?.matches?.('.compose')) $('#text')?.focus();
    }
  });
  document.addEventListener('htmx:sse:error', () => { $('#lost').hidden = false; });
  // The extension comes back by itself, but not to a stream that never began.
  for (const failed of ['htmx:error', 'htmx:response:error']) document.addEventListener(failed, e => {
    const el = e.detail.ctx?.sourceElement;
    if (el?.id === 'live') setTimeout(() => htmx.trigger(el, 'again'), 2000);
  });
  document.addEventListener('sync', () => { $('#lost').hidden = true; });

  // Says once a minute at most that somebody is here.
  let said = -1e5;
  for (const kind of ['keydown', 'pointerdown', 'pointermove']) document.addEventListener(kind, e => {
    if (!e.isTrusted || e.timeStamp < said + 6e4) return;
    said = e.timeStamp;
    fetch('/activity', {method: 'POST'}).catch(() => {});
  });

  document.addEventListener('keydown', e => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && e.target.matches?.('.compose textarea')) {
      e.preventDefault();
      e.target.form.requestSubmit();
    }
  });
  document.addEventListener('click', e => {
    const what = e.target.closest?.('[data-copy]');
    if (!what) return;
    const from = $(what.dataset.copy);
    navigator.clipboard.writeText(from.value ?? from.textContent).then(() => { what.textContent = 'Copied'; });
  });
  // What the daemon takes as a picture is less than a camera makes.
  document.addEventListener('change', async ({target: el}) => {
    if (el.id !== 'picture') return;
    try {
      const from = await createImageBitmap(el.files[0]), side = Math.min(from.width, from.height), to = Math.min(side, 256);
      const small = new OffscreenCanvas(to, to), files = new DataTransfer();
      small.getContext('2d').drawImage(from, (from.width - side) / 2, (from.height - side) / 2, side, side, 0, 0, to, to);
      files.items.add(new File([await small.convertToBlob({type: 'image/webp', quality: .9})], 'picture'));
      el.files = files.files;
    } catch {} // what it can't read, the daemon says in words
    el.form.requestSubmit();
  });
  ready(document.body);
  const log = $('#chat-scroll');
  if (log) toEnd(log);
})();

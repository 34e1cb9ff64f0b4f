package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"contactsd/store"
	"contactsd/transport"
)

const (
	streamBuffer = 16 << 10
	readPart     = 256 << 10 // bytes that are read and written at once
	inHand       = 3         // chunks in memory: one arrives, one waits, one is verified
	pagesAtOnce  = 16
	spaceEvery   = 64 // chunks after which the free space is looked at again
	spareSpace   = 16 << 20
)

// errMismatch: a chunk is not what was offered.
var errMismatch = errors.New("what arrived is not what was offered")

var errUnlisted = errors.New("not on the contact list")

// pulling is one attempt to receive a transfer.
type pulling struct {
	s      *Service
	r      record
	st     transport.Stream
	in     *bufio.Reader
	index  index
	sink   *sink
	at     uint64 // the chunk that comes next
	hashes []byte // page of hashes that at is of
	page   uint64 // its number
}

// pull receives an accepted transfer. What is broken for good, or what the sender
// has taken back, it notes; other errors are reasons to try again.
func (s *Service) pull(ctx context.Context, r record) error {
	err := s.receive(ctx, r)
	said, refused := errors.AsType[*refusal](err)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case refused && said.Why == whyCancelled:
		return s.giveUp(r, Cancelled, "by the contact", false)
	case refused && said.Why == whyGone:
		return s.giveUp(r, Failed, said.Error(), false)
	case errors.Is(err, errProtocol), errors.Is(err, errUnsafe), errors.Is(err, errMismatch), errors.Is(err, errSpace), errors.Is(err, errFolder):
		return s.giveUp(r, Failed, err.Error(), true)
	}
	return err
}

// giveUp ends a transfer that was accepted, and leaves nothing of it behind.
func (s *Service) giveUp(r record, to State, note string, owes bool) error {
	ended := false
	err := s.db.Update(func(tx *store.Tx) error {
		now, err := get(tx, r.ID)
		if err != nil || now.State != Active {
			return err
		}
		ended = true
		if err := dropPages(tx, r.ID); err != nil {
			return err
		}
		now.Owes, now.Done, now.Final = owes, 0, ""
		return s.turn(tx, &now, to, fit(note))
	})
	if err == nil && ended {
		s.discard(r.Folder, r.ID)
	}
	return err
}

func (s *Service) receive(ctx context.Context, r record) error {
	if r.Final != "" && placed(r.Folder, r.ID, !r.Offer.Dir, r.Final) {
		s.discard(r.Folder, r.ID) // of a single file the folder is left
		return s.complete(r, r.Final)
	}
	switch ok, err := s.isListed(r.Contact); {
	case err != nil:
		return err
	case !ok:
		return errUnlisted
	}
	st, err := s.net.Open(ctx, r.Contact, Protocol)
	if err != nil {
		return err
	}
	defer st.Reset()
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	p := &pulling{s: s, r: r, st: st, in: bufio.NewReaderSize(st, streamBuffer)}
	if err := p.open(); err != nil {
		return err
	}
	if err := p.fetchManifest(); err != nil {
		return err
	}
	if err := p.checkLists(); err != nil {
		return err
	}
	if err := p.resume(ctx); err != nil {
		return err
	}
	defer p.sink.close()
	defer func() { s.note(r.ID, s.rests(r.ID)) }()
	if err := p.chunks(ctx); err != nil {
		return err
	}
	return p.finish()
}

func (p *pulling) ask(r request) error {
	if err := p.wait(); err != nil {
		return err
	}
	return writeRequest(p.st, r)
}

// wait gives the peer its time for what comes next.
func (p *pulling) wait() error { return p.st.SetDeadline(time.Now().Add(idleTimeout)) }

func (p *pulling) open() error {
	if err := p.ask(request{Type: requestOpen, ID: &p.r.ID, Root: &p.r.Offer.Root}); err != nil {
		return err
	}
	_, err := readHeader(p.in, blockOK, 0, 0)
	return err
}

// fetchManifest gets the pages that are not kept yet. Each is verified as it comes.
func (p *pulling) fetchManifest() error {
	lists, hashes := p.r.Offer.Lists, hashPages(p.r.Offer.Size)
	data, err := p.s.loadPage(p.r.ID, pageIndex, 0)
	if err != nil {
		return err
	}
	if data == nil {
		if data, err = p.fetchIndex(int(lists+hashes) * len(hash{})); err != nil {
			return err
		}
	}
	if p.index, err = parseIndex(data, lists, hashes); err != nil {
		return err
	}
	if err := p.fetchPages(pageList, p.index.lists); err != nil {
		return err
	}
	return p.fetchPages(pageHash, p.index.hashes)
}

func (p *pulling) fetchIndex(size int) ([]byte, error) {
	if err := p.ask(request{Type: requestPages, Kind: pageIndex, Count: 1}); err != nil {
		return nil, err
	}
	data, err := readPage(p.in, size)
	if err != nil {
		return nil, err
	}
	if hashOf(data) != p.r.Offer.Root {
		return nil, fmt.Errorf("%w: index", errMismatch)
	}
	return data, p.s.savePages(p.r.ID, []savedPage{{pageIndex, 0, data}})
}

// fetchPages gets the pages of a row after those that are kept.
func (p *pulling) fetchPages(kind pageKind, want []hash) error {
	from, err := p.s.keptPages(p.r.ID, kind)
	if err != nil {
		return err
	}
	for from < uint64(len(want)) {
		count := min(uint64(len(want))-from, pagesAtOnce)
		if err := p.ask(request{Type: requestPages, Kind: kind, From: from, Count: count}); err != nil {
			return err
		}
		var got []savedPage
		for n := from; n < from+count; n++ {
			if err := p.wait(); err != nil {
				return err
			}
			data, err := readPage(p.in, maxPage)
			if err != nil {
				return err
			}
			if hashOf(data) != want[n] {
				return fmt.Errorf("%w: page %d of the manifest", errMismatch, n)
			}
			got = append(got, savedPage{kind, n, data})
		}
		if err := p.s.savePages(p.r.ID, got); err != nil {
			return err
		}
		from += count
	}
	return nil
}

// keptPages returns how many pages of a row are kept; they are without a gap.
func (s *Service) keptPages(id ID, kind pageKind) (n uint64, err error) {
	err = s.db.View(func(tx *store.Tx) error {
		for _, err := range pageTable.Scan(tx, store.Range{Prefix: store.Key(id[:], []byte{byte(kind)})}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// checkLists goes through all files once before one is made: names that are safe,
// and as many bytes as were offered.
func (p *pulling) checkLists() error {
	var files, size uint64
	last := ""
	for n := range p.r.Offer.Lists {
		data, err := p.s.loadPage(p.r.ID, pageList, n)
		if err != nil {
			return err
		}
		l, err := parseList(data, last)
		if err != nil {
			return err
		}
		for _, e := range l.Entries {
			files, size = files+1, size+e.Size
			if size > MaxSize {
				return fmt.Errorf("%w: more bytes than offered", errProtocol)
			}
		}
		last = l.Entries[len(l.Entries)-1].Path
	}
	if files != p.r.Offer.Files || size != p.r.Offer.Size || !p.r.Offer.Dir && last != fileName {
		return fmt.Errorf("%w: other files than offered", errProtocol)
	}
	return nil
}

func (p *pulling) loadList(n uint64) (list, error) {
	data, err := p.s.loadPage(p.r.ID, pageList, n)
	if err != nil {
		return list{}, err
	}
	return parseList(data, "")
}

// hash returns what the hash of a chunk has to be.
func (p *pulling) hash(chunk uint64) (h hash, err error) {
	if n := chunk / pageHashes; p.hashes == nil || p.page != n {
		if p.hashes, err = p.s.loadPage(p.r.ID, pageHash, n); err != nil {
			return h, err
		}
		p.page = n
	}
	off := int(chunk%pageHashes) * len(h)
	if off+len(h) > len(p.hashes) {
		return h, fmt.Errorf("%w: page of hashes cut short", errProtocol)
	}
	return hash(p.hashes[off : off+len(h)]), nil
}

// resume opens what there is on the disk and goes on behind the chunks that are
// whole. They are read back for that: neither a note nor a file's size tells what a
// crash has left.
func (p *pulling) resume(ctx context.Context) (err error) {
	k, made, err := openSink(p.r.Folder, p.r.ID, !p.r.Offer.Dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	k.walk = walker{pages: p.r.Offer.Lists, load: p.loadList}
	p.sink = k
	size, total := p.r.Offer.Size, chunks(p.r.Offer.Size)
	if made {
		return p.s.checkSpace(p.r.Folder, size)
	}
	p.at = min(p.s.heldChunks(p.r.ID), total)
	if err := k.walk.skip(min(p.at*ChunkSize, size)); err != nil {
		return err
	}
	buf := make([]byte, ChunkSize)
	for p.at < total && ctx.Err() == nil {
		want, err := p.hash(p.at)
		if err != nil {
			return err
		}
		whole, err := k.has(buf[:chunkSize(size, p.at)], want)
		if err != nil {
			return folderError(err)
		}
		if !whole {
			break
		}
		p.advance()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.s.checkSpace(p.r.Folder, size-min(p.at*ChunkSize, size))
}

// advance says that one more chunk is whole and on its way to the disk.
func (p *pulling) advance() {
	p.at++
	p.s.hold(p.r.ID, p.at)
	p.s.moves(p.r.ID, min(p.at*ChunkSize, p.r.Offer.Size), p.r.Offer.Size)
}

func (s *Service) heldChunks(id ID) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[id]; l != nil {
		return l.held
	}
	return 0
}

func (s *Service) hold(id ID, chunks uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[id]; l != nil {
		l.held = chunks
	}
}

// checkSpace returns errSpace if the disk of a folder has not so many bytes free,
// and a few more for everything else.
func (s *Service) checkSpace(folder string, need uint64) error {
	free, err := space(folder)
	if err != nil {
		return folderError(err)
	}
	if free < need+spareSpace {
		return fmt.Errorf("%w: %d bytes are needed and %d are free", errSpace, need, free)
	}
	return nil
}

// arrived is a chunk whose bytes are in the file; they have yet to be verified.
type arrived struct {
	n   uint64
	buf []byte
}

// chunks receives what is missing. One goroutine reads and writes, the other
// verifies what was written.
func (p *pulling) chunks(ctx context.Context) error {
	total := chunks(p.r.Offer.Size)
	from := p.at
	if from == total {
		return nil
	}
	if err := p.ask(request{Type: requestChunks, From: from, Count: total - from}); err != nil {
		return err
	}
	free := make(chan []byte, inHand)
	for range inHand {
		free <- nil // made when they are needed
	}
	full := make(chan arrived)
	verified := make(chan error, 1)
	go func() { verified <- p.verify(full, free) }()
	err := p.take(ctx, from, total, free, full)
	close(full)
	if bad := <-verified; bad != nil {
		return bad
	}
	return err
}

// take reads chunks into the files, and hands them on to be verified.
func (p *pulling) take(ctx context.Context, from, total uint64, free chan []byte, full chan<- arrived) error {
	size := p.r.Offer.Size
	for n := from; n < total; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf, ok := <-free
		if !ok {
			return nil // what came before did not fit
		}
		if buf == nil {
			buf = make([]byte, ChunkSize)
		}
		buf = buf[:chunkSize(size, n)]
		if (n-from)%spaceEvery == spaceEvery-1 {
			if err := p.s.checkSpace(p.r.Folder, 0); err != nil {
				return err
			}
		}
		if err := p.takeChunk(buf); err != nil {
			return err
		}
		full <- arrived{n, buf}
	}
	return nil
}

func (p *pulling) takeChunk(buf []byte) error {
	if err := p.wait(); err != nil {
		return err
	}
	if _, err := readHeader(p.in, blockData, len(buf), len(buf)); err != nil {
		return err
	}
	w, err := p.sink.begin(len(buf))
	if err != nil {
		return err
	}
	for len(buf) > 0 {
		part := buf[:min(len(buf), readPart)]
		if err := p.fill(part); err != nil {
			return err
		}
		if err := w.write(part); err != nil {
			return err
		}
		buf = buf[len(part):]
	}
	return nil
}

// fill reads b to its end, however slow the way is, as long as it gets on.
func (p *pulling) fill(b []byte) error {
	for len(b) > 0 {
		if err := p.wait(); err != nil {
			return err
		}
		n, err := p.in.Read(b)
		if b = b[n:]; err != nil && len(b) > 0 {
			return err
		}
	}
	return nil
}

// verify compares chunks with the manifest. After one that does not fit it takes
// the rest without looking.
func (p *pulling) verify(full <-chan arrived, free chan []byte) error {
	var bad error
	for c := range full {
		if bad != nil {
			continue
		}
		want, err := p.hash(c.n)
		if err == nil && hashOf(c.buf) != want {
			err = fmt.Errorf("%w: chunk %d", errMismatch, c.n)
		}
		if err != nil {
			bad = err
			close(free)
			p.st.Reset() // nobody waits for what comes next
			continue
		}
		p.advance()
		free <- c.buf
	}
	return bad
}

// finish makes what is whole appear under its name.
func (p *pulling) finish() error {
	w, err := p.sink.begin(0)
	if err == nil {
		err = w.write(nil)
	}
	if err == nil {
		err = p.sink.sync()
	}
	if err != nil {
		return err
	}
	name := safeName(p.r.Offer.Name)
	for n := 1; ; n++ {
		final := numbered(name, p.r.Offer.Dir, n)
		if p.sink.held(final) {
			continue
		}
		// What it is about to be called is noted first: after a crash it is known
		// whether it was.
		if err := p.s.nameFinal(p.r.ID, final); err != nil {
			return err
		}
		err := p.sink.place(final)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		return p.s.complete(p.r, final)
	}
}

func (s *Service) nameFinal(id ID, final string) error {
	return s.db.Update(func(tx *store.Tx) error {
		r, err := get(tx, id)
		if err != nil {
			return err
		}
		if r.State != Active {
			return fmt.Errorf("%w: it is %s", ErrState, r.State)
		}
		r.Final = final
		return transferTable.Put(tx, id[:], r)
	})
}

// complete notes that a transfer is on the disk under its name, whatever was said
// of it meanwhile.
func (s *Service) complete(r record, final string) error {
	return s.db.Update(func(tx *store.Tx) error {
		now, err := get(tx, r.ID)
		if err != nil {
			return err
		}
		if err := dropPages(tx, r.ID); err != nil {
			return err
		}
		now.Final, now.Path, now.Done, now.Owes = final, filepath.Join(now.Folder, final), now.Offer.Size, true
		return s.turn(tx, &now, Done, "")
	})
}

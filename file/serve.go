package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
)

const (
	idleTimeout = 30 * time.Second // for which neither side may stand still
	maxServing  = 8                // streams of one peer that are served at once
)

// serving is a stream over which a peer pulls.
type serving struct {
	st  transport.Stream
	buf []byte

	transfer record // that is open; its ID is zero before
	source   *source
	next     uint64 // chunk at which source stands
}

// Handle serves an inbound stream of Protocol and ends it, as the gate decided.
func (s *Service) Handle(ctx context.Context, st transport.Stream, d contact.Decision) {
	if d != contact.Serve {
		st.Reset()
		return
	}
	v := &serving{st: st}
	if !s.enter(v) {
		st.Reset()
		return
	}
	defer s.leave(v)
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	err := s.serve(ctx, v)
	if v.source != nil {
		v.source.close()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.log.Debug("file stream ended", "peer", st.Peer().Short(), "err", err)
		st.Reset()
		return
	}
	st.Close()
}

func (s *Service) enter(v *serving) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for other := range s.serving {
		if other.st.Peer() == v.st.Peer() {
			n++
		}
	}
	if n >= maxServing {
		return false
	}
	s.serving[v] = struct{}{}
	return true
}

func (s *Service) leave(v *serving) {
	s.mu.Lock()
	delete(s.serving, v)
	s.mu.Unlock()
	if v.next > 0 {
		s.note(v.transfer.ID, s.rests(v.transfer.ID))
	}
}

// interrupt ends the streams over which a transfer is pulled.
func (s *Service) interrupt(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.serving {
		if v.transfer.ID == id {
			v.st.Reset()
		}
	}
}

// serve answers requests until the peer ends the stream.
func (s *Service) serve(ctx context.Context, v *serving) error {
	requests := transport.NewFrameReader(v.st, maxRequest)
	for ctx.Err() == nil {
		if err := v.st.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
			return err
		}
		r, err := readRequest(requests)
		if err != nil {
			return err
		}
		err = s.answer(ctx, v, r)
		if said, ok := errors.AsType[*refusal](err); ok {
			err = writeRefusal(v.st, said)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Service) answer(ctx context.Context, v *serving, r request) error {
	switch r.Type {
	case requestOpen:
		if err := s.openTransfer(v, *r.ID, *r.Root); err != nil {
			return err
		}
		return writeBlock(v.st, blockOK, nil)
	case requestTell:
		if err := s.told(v.st.Peer(), *r.ID, r.State, r.Words); err != nil {
			return err
		}
		return writeBlock(v.st, blockOK, nil)
	}
	if v.transfer.ID == (ID{}) {
		return fmt.Errorf("%w: nothing was opened", errProtocol)
	}
	if r.Type == requestPages {
		return s.sendPages(v, r)
	}
	err := s.sendChunks(ctx, v, r)
	if errors.Is(err, ErrSource) {
		return s.lose(v.transfer.ID, err)
	}
	return err
}

// openTransfer finds what the peer asks for among what was offered to it.
func (s *Service) openTransfer(v *serving, id ID, root hash) error {
	var r record
	err := s.db.View(func(tx *store.Tx) (err error) {
		r, err = get(tx, id)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (r.Direction != Out || r.Contact != v.st.Peer() || r.Offer.Root != root):
		return &refusal{whyGone, "the sender does not know this transfer any more"}
	case err != nil:
		s.log.Error("transfer unreadable", "id", id.String(), "err", err)
		return &refusal{Why: whyLater}
	case r.State == Paused:
		return &refusal{Why: whyPaused}
	case r.State == Cancelled:
		return &refusal{Why: whyCancelled}
	case r.State == Failed && r.Lost, r.State == Expired:
		return &refusal{whyGone, r.Note}
	}
	if v.source != nil {
		v.source.close()
		v.source = nil
	}
	s.mu.Lock()
	v.transfer = r
	s.mu.Unlock()
	return nil
}

func (s *Service) sendPages(v *serving, r request) error {
	for n := r.From; n < r.From+r.Count; n++ {
		data, err := s.loadPage(v.transfer.ID, r.Kind, n)
		if err != nil {
			return err
		}
		if data == nil {
			return fmt.Errorf("%w: page %d of kind %d", errProtocol, n, r.Kind)
		}
		if err := v.st.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
			return err
		}
		if err := writeBlock(v.st, blockData, data); err != nil {
			return err
		}
	}
	return nil
}

// sendChunks sends what was asked for. What it read is not hashed again: the
// receiver does that.
func (s *Service) sendChunks(ctx context.Context, v *serving, r request) error {
	size := v.transfer.Offer.Size
	if r.From+r.Count > chunks(size) {
		return fmt.Errorf("%w: chunk %d of %d", errProtocol, r.From+r.Count, chunks(size))
	}
	if err := s.seek(v, r.From); err != nil {
		return err
	}
	if err := s.begun(&v.transfer); err != nil {
		return err
	}
	if v.buf == nil {
		v.buf = make([]byte, blockHeader+ChunkSize)
	}
	for n := r.From; n < r.From+r.Count && ctx.Err() == nil; n++ {
		block := v.buf[:blockHeader+chunkSize(size, n)]
		if err := v.source.read(block[blockHeader:]); err != nil {
			return err
		}
		putHeader(block, blockData, len(block)-blockHeader)
		if err := v.write(block); err != nil {
			return err
		}
		v.next = n + 1
		s.moves(v.transfer.ID, min(v.next*ChunkSize, size), size)
	}
	return ctx.Err()
}

// writePart is how much is written under one deadline.
const writePart = 64 << 10

// write writes a block, however slow the way is, as long as it gets on.
func (v *serving) write(block []byte) error {
	for len(block) > 0 {
		if err := v.st.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
			return err
		}
		n, err := v.st.Write(block[:min(len(block), writePart)])
		if err != nil {
			return err
		}
		block = block[n:]
	}
	return nil
}

// seek opens the source at a chunk.
func (s *Service) seek(v *serving, chunk uint64) error {
	if v.source != nil && v.next == chunk {
		return nil
	}
	if v.source != nil {
		v.source.close()
		v.source = nil
	}
	r := v.transfer
	src, err := openSource(r.Path, r.Offer.Dir)
	if err != nil {
		return err
	}
	v.source, v.next = src, chunk
	src.walk = walker{pages: r.Offer.Lists, load: func(n uint64) (list, error) { return s.loadSent(r.ID, n) }}
	return src.walk.skip(min(chunk*ChunkSize, r.Offer.Size))
}

// loadSent returns a page of files with the times at which they were changed.
func (s *Service) loadSent(id ID, n uint64) (l list, err error) {
	data, err := s.loadPage(id, pageList, n)
	if err != nil {
		return l, err
	}
	if err := codec.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("page of files: %w: %w", store.ErrCorrupt, err)
	}
	if data, err = s.loadPage(id, pageTimes, n); err != nil {
		return l, err
	}
	var changed []int64
	if err := codec.Unmarshal(data, &changed); err != nil || len(changed) != len(l.Entries) {
		return l, fmt.Errorf("times of files: %w", store.ErrCorrupt)
	}
	for i := range l.Entries {
		l.Entries[i].changed = changed[i]
	}
	return l, nil
}

// begun notes that the peer has accepted a transfer.
func (s *Service) begun(r *record) error {
	if r.State == Active {
		return nil
	}
	return s.db.Update(func(tx *store.Tx) error {
		now, err := get(tx, r.ID)
		if err != nil {
			return err
		}
		*r = now
		switch now.State {
		case Paused, Cancelled:
			return &refusal{Why: whyLater} // while it was opened
		case Active, Done:
			return nil
		}
		return s.turn(tx, r, Active, "")
	})
}

// lose notes that what was offered can't be sent, and returns how the peer is told.
func (s *Service) lose(id ID, cause error) error {
	note := fit(cause.Error())
	err := s.db.Update(func(tx *store.Tx) error {
		r, err := get(tx, id)
		if err != nil || r.State.Final() {
			return err
		}
		r.Lost = true
		return s.turn(tx, &r, Failed, note)
	})
	if err != nil {
		return err
	}
	return &refusal{whyGone, note}
}

// note keeps how far a transfer was when it stopped.
func (s *Service) note(id ID, done uint64) {
	err := s.db.Update(func(tx *store.Tx) error {
		r, found, err := transferTable.Get(tx, id[:])
		if err != nil || !found || r.State == Done || r.Done == done {
			return err
		}
		r.Done = done
		return transferTable.Put(tx, id[:], r)
	})
	if err != nil && !errors.Is(err, store.ErrClosed) {
		s.log.Error("progress not written down", "id", id.String(), "err", err)
	}
}

// fit cuts words to what a refusal holds, and to one line.
func fit(text string) string {
	return fitName(oneLine(text), maxWords)
}
